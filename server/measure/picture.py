# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs of clips as mel spectrograms above one another, on one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from server.audio import Clip
from server.measure.mel_frames import N_SAMPLES, SPEC, audio_of
from server.models.mel import log_mel

COLUMNS = 5


@dataclass(frozen=True)
class Pair:
    """Two clips with their titles; one that is None leaves its place empty."""

    upper_title: str
    upper: Clip | None
    lower_title: str
    lower: Clip | None


def draw(path: Path, pairs: Sequence[Pair], columns: int = COLUMNS) -> None:
    """Write a PNG with the pairs from left to right; every clip is shown to 5.12 s, at the same level, to 16 kHz."""
    columns = max(1, min(columns, len(pairs)))
    rows = max(1, -(-len(pairs) // columns))
    width = 3.4 if columns > 1 else 9.0
    figure = Figure(figsize=(width * columns, max(2.9 * rows, 5.0)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2 * rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for number, pair in enumerate(pairs):
        row, column = divmod(number, columns)
        _spectrogram(axes[2 * row, column], pair.upper, pair.upper_title)
        _spectrogram(axes[2 * row + 1, column], pair.lower, pair.lower_title)
    figure.savefig(path, dpi=80)


def _spectrogram(axis: Axes, clip: Clip | None, title: str) -> None:
    if clip is None:
        return
    length = min(N_SAMPLES, round(clip.duration_s * SPEC.sample_rate)) // SPEC.hop * SPEC.hop
    mel = log_mel(audio_of([clip], max(length, 4 * SPEC.n_fft // SPEC.hop * SPEC.hop)), SPEC)[0]
    axis.set_axis_on()
    axis.imshow(mel.T.numpy(), origin="lower", aspect="auto", vmin=-9, vmax=1, cmap="magma",
                extent=(0, len(mel) * SPEC.hop / SPEC.sample_rate, 0, mel.shape[1]))
    axis.set_title(title, fontsize=8)
    axis.tick_params(labelsize=6)
