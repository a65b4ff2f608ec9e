# SPDX-License-Identifier: GPL-3.0-or-later
"""A soft mask: the clip itself, weighed in time and frequency by what a model made of it.

A model's sound has phases of its own; what a composer wants back is the recording. So where nothing is known exactly
(noise, a guessed room), the model only says how much of every band at every moment belongs to the result, and that share
is taken of the clip: its stereo, phase and rate stay. (A mixture's stems are `server.methods.masks`.)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip
from server.methods.griffin_lim import sound, spectrum
from server.methods.masks import averaged

WINDOW_S = 0.064
_SMOOTH = (5, 3)
_TINY = 1e-12


def window_samples(sample_rate: int) -> int:
    """Length of the analysis window: the power of two nearest to 64 ms."""
    return 2 ** round(np.log2(WINDOW_S * sample_rate))


def powers(clip: Clip) -> Tensor:
    """Squared STFT magnitudes [channels, bins, frames] of a clip, smoothed over neighbouring bins and frames."""
    return averaged(analysed(clip).abs().square(), _SMOOTH)


def share(clip: Clip, wanted: Tensor, rest: Tensor) -> Clip:
    """The share wanted / (wanted + rest) of the clip; both are powers as `powers` gives them (or broadcast to that)."""
    return resynthesised(analysed(clip) * (wanted / (wanted + rest).clamp(min=_TINY)), clip)


def analysed(clip: Clip) -> Tensor:
    """The STFT [channels, bins, frames] that everything here is weighed in."""
    size = window_samples(clip.sample_rate)
    return spectrum(torch.from_numpy(clip.samples), size, size // 4)


def resynthesised(turned: Tensor, like: Clip) -> Clip:
    """A clip of such an STFT, as long as `like` and at its rate."""
    size = window_samples(like.sample_rate)
    return replace(like, samples=sound(turned, size, size // 4, like.n_samples).numpy())
