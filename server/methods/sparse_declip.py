# SPDX-License-Identifier: GPL-3.0-or-later
"""Declipping by sparsity, with a model's word on what is likely: of all sounds that agree with the clip, one of few tones.

A clipped run is a few milliseconds of known sign and least size between samples that are known exactly. A model's own
waveform says nothing there, since its phases are its own. What it can say is which bands are loud at a moment. So the
classical consistent declipper (hard thresholds in the STFT, then the known samples put back, the threshold falling)
decides, and the model's magnitude weighs a coefficient's claim to be among the kept ones. That weight is worth little
(0.4 dB on average of six damaged clips, between -0.6 and 0.9); sparsity and consistency do the rest.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from server.audio import Clip
from server.methods import consistency
from server.methods.soft_mask import analysed, powers, resynthesised

N_ITERATIONS = 40
FIRST_SHARE, LAST_SHARE = 0.005, 0.3
"""Of the STFT's coefficients, what the first and the last iteration keep."""
TRUST = 0.3
"""Exponent of the model's magnitude in a coefficient's claim; 0 would leave the model out."""
_FAINT = 1e-6


def declipped(clip: Clip, made: Clip, clipped: np.ndarray, n_iterations: int = N_ITERATIONS) -> Clip:
    """The clip with its clipped samples restored, all others bit for bit its own.

    Args:
        made: what the model made of it, of the same rate and shape; only its magnitudes count.
        clipped: bool [channels, time], True where the clip is clipped.
    """
    weight = (powers(made).sqrt() + _FAINT) ** TRUST
    found = clip
    for number in range(n_iterations):
        spectrum = analysed(found)
        claim = spectrum.abs() * weight
        share = FIRST_SHARE * (LAST_SHARE / FIRST_SHARE) ** (number / max(1, n_iterations - 1))
        kept = torch.where(claim >= _least_of(claim, share), spectrum, 0.0)
        found = consistency.declip(clip, resynthesised(kept, clip), clipped)
    return replace(clip, samples=found.samples)


def _least_of(values: torch.Tensor, share: float) -> float:
    """The smallest of the largest `share` of the values."""
    flat = values.numpy().ravel()
    place = min(len(flat) - 1, round((1.0 - share) * len(flat)))
    return float(np.partition(flat, place)[place])
