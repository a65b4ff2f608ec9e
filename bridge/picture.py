# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of clips: several side by side as waveform and mel spectrogram, or many as a page of mel spectrograms.

Needs matplotlib (extra `render`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from server.audio import Clip, fold_mono

_WINDOW, _HOP, _BANDS, _RANGE_DB = 2048, 512, 96, 80.0
_INK, _WAVE = "#2b2b2b", "#b5532a"


def draw(clips: Mapping[str, Clip], path: Path, title: str) -> None:
    """Draw `clips` (label -> clip), one column each, into a PNG; the colour scale and the axes are shared."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * len(clips), 6.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, color=_INK)
    axes = figure.subplots(2, len(clips), squeeze=False, sharey="row", height_ratios=(1, 2))
    top_hz = min(clip.sample_rate for clip in clips.values()) / 2
    images = {label: _mel(clip, top_hz) for label, clip in clips.items()}
    loudest = max(image.max() for image in images.values())
    for column, (label, clip) in enumerate(clips.items()):
        wave, spectrum = axes[0][column], axes[1][column]
        _draw_wave(wave, clip)
        wave.set_title(label, color=_INK)
        shown = spectrum.imshow(images[label], origin="lower", aspect="auto", cmap="magma", vmin=loudest - _RANGE_DB,
                                vmax=loudest, extent=(0, clip.duration_s, 0, _BANDS))
        spectrum.set_xlabel("seconds")
    axes[0][0].set_ylabel("amplitude")
    axes[1][0].set_ylabel("Hz (mel scale)")
    ticks = [hz for hz in (100, 300, 1000, 3000, 8000, 16000) if hz < top_hz]
    axes[1][0].set_yticks([_BANDS * _mel_of(hz) / _mel_of(top_hz) for hz in ticks], [str(hz) for hz in ticks])
    figure.colorbar(shown, ax=axes[1], label="dB", shrink=0.9)
    figure.savefig(path)


def draw_page(clips: Mapping[str, Clip], path: Path, title: str, columns: int = 7) -> None:
    """Draw the mel spectrogram of each of `clips` (label -> clip) into a PNG, each from its own loudest point down."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(columns, len(clips))
    rows = -(-len(clips) // columns)
    figure = Figure(figsize=(2.3 * columns, 1.9 * rows + 0.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, color=_INK)
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for axis in axes:
        axis.set_axis_off()
    for axis, (label, clip) in zip(axes, clips.items(), strict=False):
        image = _mel(clip, clip.sample_rate / 2)
        axis.imshow(image, origin="lower", aspect="auto", cmap="magma", vmin=image.max() - _RANGE_DB, vmax=image.max())
        axis.set_title(label, fontsize=8, color=_INK)
    figure.savefig(path)


def _draw_wave(axis, clip: Clip) -> None:
    """Highest and lowest sample of each pixel column, so that no peak is lost."""
    mono = fold_mono(clip).samples[0]
    columns = min(800, len(mono))
    edges = np.linspace(0, len(mono), columns, endpoint=False).astype(int)
    seconds = edges / clip.sample_rate
    axis.fill_between(seconds, np.minimum.reduceat(mono, edges), np.maximum.reduceat(mono, edges), color=_WAVE, linewidth=0)
    axis.set_xlim(0, clip.duration_s)
    axis.set_ylim(-1, 1)
    axis.axhline(0, color=_INK, linewidth=0.4)


def _mel(clip: Clip, top_hz: float) -> np.ndarray:
    """Level of `_BANDS` mel bands up to `top_hz` in dB: [bands, frames]."""
    mono = np.pad(fold_mono(clip).samples[0], (0, _WINDOW))
    frames = np.lib.stride_tricks.sliding_window_view(mono, _WINDOW)[::_HOP] * np.hanning(_WINDOW)
    power = np.abs(np.fft.rfft(frames, axis=1)).T ** 2
    edges = 700.0 * (10.0 ** (np.linspace(0, _mel_of(top_hz), _BANDS + 2) / 2595.0) - 1.0)
    bins = np.fft.rfftfreq(_WINDOW, 1.0 / clip.sample_rate)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    bank = np.maximum(np.minimum(rise, fall), 0.0)
    # The lowest bands are narrower than a bin: give each at least the bin nearest to its centre.
    nearest = np.abs(bins[None] - edges[1:-1, None]).argmin(axis=1)
    bank[np.arange(_BANDS), nearest] = np.maximum(bank[np.arange(_BANDS), nearest], 0.5)
    bank /= bank.sum(axis=1, keepdims=True)
    return 10.0 * np.log10(bank @ power + 1e-10)


def _mel_of(hz: float) -> float:
    return 2595.0 * np.log10(1.0 + hz / 700.0)
