"""The picture of an evaluation: a real and a generated mel spectrogram of each class, and the training curves."""

import json
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from .format import HOP, SAMPLE_RATE
from .networks import LogMel

CURVES = (("vae", "error", "autoencoder: log-mel error, nat"), ("vocoder", "stft", "vocoder: STFT distance"),
          ("unet", "weighted", "noise predictor: weighted error"))
COLUMNS = 5


def draw(path: Path, names: list[str], real: dict[str, Tensor], made: dict[str, Tensor], work: Path | None) -> None:
    """Write the PNG. `real`, `made`: class to clip `[samples]` at 32 kHz; classes without one are left empty."""
    rows = -(-len(names) // COLUMNS)
    curves = [c for c in CURVES if work and (work / f"{c[0]}.jsonl").exists()]
    figure = Figure(figsize=(3.4 * COLUMNS, 2.9 * rows + 3 * bool(curves)), layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subfigures(2, 1, height_ratios=[2.9 * rows, 3]) if curves else (figure, None)
    axes = upper.subplots(2 * rows, COLUMNS, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for number, name in enumerate(names):
        row, column = divmod(number, COLUMNS)
        _spectrogram(axes[2 * row, column], real.get(name), f"{name}: held-out")
        _spectrogram(axes[2 * row + 1, column], made.get(name), f"{name}: generated")
    if lower is not None:
        for axis, (stage, key, title) in zip(lower.subplots(1, len(curves), squeeze=False)[0], curves, strict=True):
            _curve(axis, work / f"{stage}.jsonl", key, title)
    figure.savefig(path, dpi=80)


@torch.no_grad()
def _spectrogram(axis: Axes, clip: Tensor | None, title: str) -> None:
    if clip is None:
        return
    mel = LogMel()(clip[None] * (0.5 / (clip.abs().max() + 1e-6)))[0, 0]
    axis.set_axis_on()
    axis.imshow(mel.T.numpy(), origin="lower", aspect="auto", vmin=-9, vmax=1, cmap="magma",
                extent=(0, len(mel) * HOP / SAMPLE_RATE, 0, mel.shape[1]))
    axis.set_title(title, fontsize=8)
    axis.tick_params(labelsize=6)


def _curve(axis: Axes, path: Path, key: str, title: str) -> None:
    """A logged value over the step, and the held-out errors beside it."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for name in sorted({k for line in lines for k in line if k == key or k.startswith("held_out")}):
        points = [(line["step"], line[name]) for line in lines if name in line]
        axis.plot(*zip(*points, strict=True), marker="." if len(points) < 20 else None, label=name)
    axis.set_yscale("log")
    axis.set_title(title, fontsize=9)
    axis.set_xlabel("step", fontsize=8)
    axis.legend(fontsize=7)
