# SPDX-License-Identifier: GPL-3.0-or-later
"""Widen a band by copying: the octave below the cutoff, repeated upward, at the level that the spectrum's fall foretells.

The principle of spectral band replication (Dietz et al. 2002), without the side information that a codec sends along.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from server.audio import Clip
from server.measure.baselines.short_time import analyse, synthesise

N_FFT, HOP = 1024, 256
_LEAST_FALL, _MOST_FALL = 0.5, 3.0  # exponents of frequency in magnitude: 3 and 18 dB an octave


def widen(clip: Clip, cutoff_hz: float) -> Clip:
    """The clip with a made band above `cutoff_hz`; below it as it was."""
    spectrum = analyse(clip.samples.astype(np.float64), N_FFT, HOP)
    edge = int(cutoff_hz * N_FFT / clip.sample_rate)
    low = (edge + 1) // 2
    bins = np.arange(edge, spectrum.shape[-1])
    source = low + (bins - edge) % (edge - low)
    fall = _fall(np.square(np.abs(spectrum)).mean(axis=(0, 1)), low, edge)
    made = spectrum.copy()
    made[..., edge:] = spectrum[..., source] * (source / bins) ** fall
    return replace(clip, samples=synthesise(made, N_FFT, HOP, clip.n_samples))


def _fall(power: np.ndarray, low: int, edge: int) -> float:
    """By which power of frequency the magnitude falls over the two octaves under the edge."""
    bins = np.arange(max(1, low // 2), edge - 1)
    slope = np.polyfit(np.log(bins), 0.5 * np.log(power[bins] + 1e-20), 1)[0]
    return float(np.clip(-slope, _LEAST_FALL, _MOST_FALL))
