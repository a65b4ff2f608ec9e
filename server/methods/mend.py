# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the model made to the mended clip: what is known stays known, the model adds what is not.

Where something is known exactly (outside a gap, below a cutoff, between clipped samples, magnitudes), it is kept hard
(`server.methods.consistency`). A known room is undone by an inverse filter that leans on the model where the room has
nothing to invert. Noise and a room that is only guessed are taken out by soft masks (`server.methods.soft_mask`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip
from server.methods import soft_mask
from server.methods.damage import noise_power
from server.methods.room import reverberated

LEAN = 1e-3
"""Of the room's mean power: where it has less than this, a known room is not inverted but replaced by the model."""

LATE_S = 0.05
"""Seconds behind a sound from which on its reverberation is taken out; what comes sooner belongs to it."""


def denoised(clip: Clip, made: Clip) -> Clip:
    """The clip's share of its sound against its steady noise.

    How much sound there is in a bin is the geometric mean of two opinions: what the model made, smoothed, and what is left
    of the clip's power without the noise. The model alone misses what it cannot make, subtraction alone leaves its musical
    noise.
    """
    noise = noise_power(clip)
    left = (soft_mask.analysed(clip).abs().square() - noise).clamp(min=0.0)
    return soft_mask.share(clip, (soft_mask.powers(made) * left).sqrt(), noise)


def dried(clip: Clip, made: Clip, response: np.ndarray, rt60_s: float) -> Clip:
    """The clip's share of its dry sound against what the room adds, both by two opinions, as in `denoised`.

    The model's: what it made, and what a room like `response` [n] adds to that behind the direct sound. The clip's own:
    what was there LATE_S before, fallen as the room lets it fall, is reverberation now (Lebart, Boucher and Denbigh
    2001), as far as it was not direct sound; what is left of the clip's power without it is dry.
    """
    wet = reverberated(made, response)
    tail = soft_mask.powers(replace(made, samples=wet.samples - made.samples * response[0]))
    diffuse = 1.0 - float(np.square(response[0]) / np.square(response).sum())
    late = diffuse * _late(soft_mask.powers(clip), clip.sample_rate, rt60_s)
    left = (soft_mask.analysed(clip).abs().square() - late).clamp(min=0.0)
    return soft_mask.share(clip, (soft_mask.powers(made) * left).sqrt(), (tail * late).sqrt())


def _late(power: Tensor, sample_rate: int, rt60_s: float) -> Tensor:
    """Power [channels, bins, frames] of the reverberation of what was there LATE_S ago."""
    hop_s = soft_mask.window_samples(sample_rate) / 4 / sample_rate
    frames = max(1, round(LATE_S / hop_s))
    faded = 10 ** (-6.0 * frames * hop_s / rt60_s) * power
    return torch.nn.functional.pad(faded, (frames, 0))[..., : power.shape[-1]]


def unconvolved(clip: Clip, made: Clip, response: np.ndarray) -> Clip:
    """The x that |h * x - clip|^2 + e |x - made|^2 is least for, e being LEAN times the mean of |H|^2."""
    size = 1 << (clip.n_samples + len(response)).bit_length()
    room = np.fft.rfft(response.astype(np.float64), size)
    weight = LEAN * np.mean(np.square(np.abs(room)))
    wet, prior = (np.fft.rfft(c.samples.astype(np.float64), size) for c in (clip, made))
    dry = (np.conj(room) * wet + weight * prior) / (np.square(np.abs(room)) + weight)
    return replace(clip, samples=np.fft.irfft(dry, size)[:, : clip.n_samples])
