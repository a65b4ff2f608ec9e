# SPDX-License-Identifier: GPL-3.0-or-later
"""Soft masks: the clip itself, weighed in time and frequency by what a model made of it.

A model's sound has phases of its own; what a composer wants back is the recording. So where nothing is known exactly
(noise, a room, a mixture), the model only says how much of every band at every moment belongs to the result, and
that share is taken of the clip: stereo, phase and rate stay its own, and shares that add up to one give sounds that add
up to the clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from server.audio import Clip
from server.methods.griffin_lim import spectrum

WINDOW_S = 0.064
_SMOOTH_BINS, _SMOOTH_FRAMES = 5, 3
_TINY = 1e-12


def window_samples(sample_rate: int) -> int:
    """Length of the analysis window: the power of two nearest to 64 ms."""
    return 2 ** round(np.log2(WINDOW_S * sample_rate))


def powers(clip: Clip) -> Tensor:
    """Squared STFT magnitudes [channels, bins, frames] of a clip, smoothed over neighbouring bins and frames."""
    found = _spectrum(clip).abs().square()
    return F.avg_pool2d(found[:, None], (_SMOOTH_BINS, _SMOOTH_FRAMES), stride=1,
                        padding=(_SMOOTH_BINS // 2, _SMOOTH_FRAMES // 2), count_include_pad=False)[:, 0]


def share(clip: Clip, wanted: Tensor, rest: Tensor) -> Clip:
    """The share wanted / (wanted + rest) of the clip; both are powers as `powers` gives them (or broadcast to that)."""
    return _weighed(clip, wanted / (wanted + rest).clamp(min=_TINY))


def shares(clip: Clip, parts: Sequence[Tensor]) -> list[Clip]:
    """The clip in parts, by the power of each: they add up to the clip."""
    total = torch.stack(list(parts)).sum(0).clamp(min=_TINY)
    masks = [part / total for part in parts[:-1]]
    found = [_weighed(clip, mask) for mask in masks]
    left = clip.samples.astype(np.float64) - np.sum([part.samples.astype(np.float64) for part in found], axis=0)
    return [*found, replace(clip, samples=left)]


def with_magnitudes_of(clip: Clip, made: Clip, most_db: float = 20.0) -> Clip:
    """The clip's phases with the (smoothed) magnitudes of `made`: no bin is turned up or down by more than `most_db`."""
    most = 10 ** (most_db / 20)
    gain = ((powers(made) + _TINY) / (powers(clip) + _TINY)).sqrt().clamp(1 / most, most)
    return _weighed(clip, gain)


def _weighed(clip: Clip, gain: Tensor) -> Clip:
    size = window_samples(clip.sample_rate)
    turned = _spectrum(clip) * gain
    samples = torch.istft(turned, size, size // 4, window=torch.hann_window(size), center=True, length=clip.n_samples)
    return replace(clip, samples=samples.numpy())


def _spectrum(clip: Clip) -> Tensor:
    size = window_samples(clip.sample_rate)
    return spectrum(torch.from_numpy(clip.samples), size, size // 4)
