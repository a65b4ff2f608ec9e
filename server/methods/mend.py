# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the model made to the mended clip: what is known stays known, the model adds what is not.

Where something is known exactly (outside a gap, below a cutoff, between clipped samples, magnitudes), it is kept hard
(`server.methods.consistency`). A known room is undone by an inverse filter that leans on the model where the room has
nothing to invert. Noise and a room that is only guessed are taken out by soft masks (`server.methods.soft_mask`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from server.audio import Clip
from server.methods import soft_mask
from server.methods.damage import noise_power
from server.methods.room import reverberated

LEAN = 1e-3
"""Of the room's mean power: where it has less than this, a known room is not inverted but replaced by the model."""


def denoised(clip: Clip, made: Clip) -> Clip:
    """The clip's share of its sound against its steady noise.

    How much sound there is in a bin is the geometric mean of two opinions: what the model made, smoothed, and what is left
    of the clip's power without the noise. The model alone misses what it cannot make, subtraction alone leaves its musical
    noise.
    """
    noise = noise_power(clip)
    left = (soft_mask.analysed(clip).abs().square() - noise).clamp(min=0.0)
    return soft_mask.share(clip, (soft_mask.powers(made) * left).sqrt(), noise)


def dried(clip: Clip, made: Clip, response: np.ndarray) -> Clip:
    """The clip's share of the model's dry sound against what a room like `response` [n] adds to it."""
    wet = reverberated(made, response)
    tail = replace(made, samples=wet.samples - made.samples * response[0])
    return soft_mask.share(clip, soft_mask.powers(made), soft_mask.powers(tail))


def unconvolved(clip: Clip, made: Clip, response: np.ndarray) -> Clip:
    """The x that |h * x - clip|^2 + e |x - made|^2 is least for, e being LEAN times the mean of |H|^2."""
    size = 1 << (clip.n_samples + len(response)).bit_length()
    room = np.fft.rfft(response.astype(np.float64), size)
    weight = LEAN * np.mean(np.square(np.abs(room)))
    wet, prior = (np.fft.rfft(c.samples.astype(np.float64), size) for c in (clip, made))
    dry = (np.conj(room) * wet + weight * prior) / (np.square(np.abs(room)) + weight)
    return replace(clip, samples=np.fft.irfft(dry, size)[:, : clip.n_samples])
