# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a steady noise out by subtracting its power spectrum (Boll 1979; Berouti, Schwartz and Makhoul 1979)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from server.audio import Clip
from server.measure.baselines.short_time import analyse, synthesise

OVERSUBTRACTION, FLOOR = 2.0, 0.05
_FRAME_S = 0.032
_QUIETEST = 0.1


def denoise(clip: Clip) -> Clip:
    """The clip less its noise, which is taken to be what its quietest tenth of frames holds."""
    n_fft = 2 ** round(np.log2(_FRAME_S * clip.sample_rate))
    spectrum = analyse(clip.samples.astype(np.float64), n_fft, n_fft // 4)
    power = np.square(np.abs(spectrum))
    noise = _noise_power(power)
    gain = np.sqrt(np.maximum(1.0 - OVERSUBTRACTION * noise / np.maximum(power, 1e-20), FLOOR**2))
    return replace(clip, samples=synthesise(spectrum * gain, n_fft, n_fft // 4, clip.n_samples))


def _noise_power(power: np.ndarray) -> np.ndarray:
    """`[channels, 1, bins]` of `[channels, frames, bins]`: the mean over the quietest frames; those at the ends, which
    hold silence put there, do not count."""
    inner = power[:, 4:-5] if power.shape[1] > 20 else power
    count = max(1, round(_QUIETEST * inner.shape[1]))
    quietest = np.argsort(inner.sum(axis=-1), axis=1)[:, :count]
    return np.take_along_axis(inner, quietest[..., None], axis=1).mean(axis=1, keepdims=True)
