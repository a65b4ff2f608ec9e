# SPDX-License-Identifier: GPL-3.0-or-later
"""A rough guess at a lost top: the octave below the cutoff copied upward, ever softer, as its own spectrum falls.

A model that is shown a dull clip makes a dull one. Shown a top that is about as loud as one would be, it makes its own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from server.audio import Clip
from server.methods.consistency import super_resolution
from server.methods.damage import inner_power
from server.methods.soft_mask import analysed, resynthesised

STEEPEST, SHALLOWEST = -30.0, -6.0
"""dB an octave, between which a clip's own slope is believed."""


def widened(clip: Clip, cutoff_hz: float) -> Clip:
    """The clip, unchanged below the cutoff, with a copied top above it."""
    spectrum = analysed(clip)
    n_bins = spectrum.shape[-2]
    edge = min(n_bins - 1, max(8, round(cutoff_hz / (clip.sample_rate / 2) * (n_bins - 1))))
    # Moved by a multiple of 4 bins, frames that overlap by three quarters go on agreeing about their phases.
    octave = edge // 2 // 4 * 4
    below = torch.arange(edge - octave, edge)
    slope = slope_db(inner_power(clip)[:, below].mean((0, -1)), below)
    above = torch.arange(edge, n_bins)
    source = above - octave * (1 + (above - edge) // octave)
    gain_db = slope * torch.log2(above / source)
    top = spectrum[:, source] * (10 ** (gain_db / 20))[:, None]
    return super_resolution(clip, resynthesised(torch.cat([spectrum[:, :edge], top], dim=1), clip), cutoff_hz)


def slope_db(power: Tensor, bins: Tensor) -> float:
    """How a power spectrum at these bins falls, dB an octave: a line through its decibels, held between -30 and -6."""
    octaves = torch.log2(bins.double())
    level = 10 * torch.log10(power.double() + 1e-12)
    centred = octaves - octaves.mean()
    slope = float((centred * level).sum() / centred.square().sum())
    return min(max(slope, STEEPEST), SHALLOWEST)
