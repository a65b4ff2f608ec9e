# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedding `timbre-1`: what a clip sounds like and how it moves, as one vector; similarity is its cosine. No torch.

A clip is folded to mono, resampled to 16 kHz and turned into 40 log-mel bands every 20 ms. The vector holds each band's
mean, spread and mean movement, and how strongly eight groups of bands fluctuate at eight rates from 0.5 to 25 Hz. It
does not depend on level, and not on where in the clip something happens. Each number is standardised with the mean and
deviation it has over real recordings, then compressed with tanh so that no single one rules the cosine.

`benchmarks/similarity.py` measures how well the cosine tells same-class pairs from different-class pairs; the figure of
the shipped constants is in `timbre.json`.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

import numpy as np

from server.audio import Clip, fold_mono, resample, to_length

NAME = "timbre-1"
_RATE, _WINDOW, _HOP, _BANDS = 16000, 1024, 320, 40
_FLOOR_DB = 70.0
_MODULATION_HZ = (0.5, 1.0, 2.0, 3.5, 5.5, 8.5, 13.0, 18.0, 25.0)


def features(clip: Clip) -> np.ndarray:
    """The unstandardised vector, float64 [3 * 40 + 8 * 8]."""
    level = log_mel(clip)  # [bands, frames]
    movement = np.abs(np.diff(level, axis=1)).mean(axis=1)
    groups = level.reshape(8, -1, level.shape[1]).mean(axis=1)
    return np.concatenate([level.mean(axis=1), level.std(axis=1), movement, _modulation(groups).ravel()])


def embed(clip: Clip) -> np.ndarray:
    """The unit vector of a clip in `timbre-1`."""
    constants = _constants()
    vector = np.tanh((features(clip) - constants["mean"]) / constants["deviation"] / 2.0)
    return vector / (np.linalg.norm(vector) + 1e-12)


def similarity(a: Clip, b: Clip) -> float:
    """Cosine of two clips in `timbre-1`, -1 to 1; 1 for the same clip at any level."""
    return float(embed(a) @ embed(b))


def log_mel(clip: Clip) -> np.ndarray:
    """Level of 40 mel bands in dB below the loudest, floored at -70: [bands, frames]."""
    mono = resample(fold_mono(clip), _RATE)
    samples = to_length(mono, max(mono.n_samples, 4 * _WINDOW)).samples[0].astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP] * np.hanning(_WINDOW)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2 @ _mel_bank().T
    level = 10.0 * np.log10(power.T + 1e-12)
    return np.maximum(level - level.max(), -_FLOOR_DB)


def _modulation(groups: np.ndarray) -> np.ndarray:
    """Fluctuation of each band group in octave-like rate bands, in dB: [groups, rates]."""
    n = groups.shape[1]
    spectrum = np.abs(np.fft.rfft((groups - groups.mean(axis=1, keepdims=True)) * np.hanning(n), n=max(n, 256))) ** 2 / n
    rates = np.fft.rfftfreq(max(n, 256), _HOP / _RATE)
    bands = [spectrum[:, (rates >= low) & (rates < high)].sum(axis=1)
             for low, high in zip(_MODULATION_HZ[:-1], _MODULATION_HZ[1:], strict=True)]
    return 10.0 * np.log10(np.stack(bands, axis=1) + 1.0)


@cache
def _mel_bank() -> np.ndarray:
    """Triangular bands, equally spaced on the mel scale from 40 Hz to 8 kHz: [bands, bins]."""
    edges_mel = np.linspace(_mel(40.0), _mel(_RATE / 2), _BANDS + 2)
    edges = 700.0 * (10.0 ** (edges_mel / 2595.0) - 1.0)
    bins = np.fft.rfftfreq(_WINDOW, 1.0 / _RATE)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(np.minimum(rise, fall), 0.0)


def _mel(hz: float) -> float:
    return 2595.0 * np.log10(1.0 + hz / 700.0)


@cache
def _constants() -> dict[str, np.ndarray]:
    stored = json.loads(files("server.measure").joinpath("timbre.json").read_text())
    return {name: np.array(stored[name]) for name in ("mean", "deviation")}
