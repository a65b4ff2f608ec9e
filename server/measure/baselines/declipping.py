# SPDX-License-Identifier: GPL-3.0-or-later
"""Rebuild clipped samples by autoregressive interpolation in short frames (Janssen, Veldhuis and Vries 1986)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from server.audio import Clip
from server.methods.consistency import declip as keep_consistent
from server.methods.linear_prediction import burg, interpolate

ORDER, ROUNDS = 32, 3
_FRAME_S = 0.064


def declip(clip: Clip, clipped: np.ndarray) -> Clip:
    """The clip with its clipped samples interpolated, and nowhere below the clip level; the others as they are.

    Args:
        clipped: bool `[channels, time]`.
    """
    made = np.stack([_channel(samples, mask, round(_FRAME_S * clip.sample_rate))
                     for samples, mask in zip(clip.samples.astype(np.float64), clipped, strict=True)])
    return keep_consistent(clip, replace(clip, samples=made), clipped)


def _channel(samples: np.ndarray, mask: np.ndarray, frame: int) -> np.ndarray:
    """One channel `[time]` in frames that overlap by half, of which the inner halves are kept."""
    made = samples.copy()
    for start in range(-frame // 4, len(samples), frame // 2):
        low, high = max(0, start), min(len(samples), start + frame)
        inner = slice(max(0, start + frame // 4), min(len(samples), start + 3 * frame // 4))
        if mask[inner].any() and high - low > 3 * ORDER:
            rebuilt = _frame(samples[low:high], mask[low:high])
            made[inner] = rebuilt[inner.start - low : inner.stop - low]
    return made


def _frame(samples: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Coefficients from the samples as they are, the samples from the coefficients, in turn.

    After every turn a sample that fell below the level at which it was clipped is put back to it.
    """
    made, side = samples, np.sign(samples)
    for _ in range(ROUNDS):
        made = interpolate(made, mask, burg(made, ORDER))
        made = np.where(mask, side * np.maximum(side * made, np.abs(samples)), samples)
    return made
