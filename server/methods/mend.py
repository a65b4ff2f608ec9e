# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the model made to the mended clip: what is known stays known, the model adds what is not.

Where something is known exactly (outside a gap, below a cutoff, between clipped samples, magnitudes), it is kept hard
(`server.methods.consistency`). A known room is undone by an inverse filter that leans on the model where the room has
nothing to invert. Noise, a room that is only guessed, and a mixture are divided by soft masks (`server.methods.soft_mask`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from server.audio import Clip
from server.methods import soft_mask
from server.methods.damage import noise_power
from server.methods.room import reverberated

LEAN = 1e-3
"""Of the room's mean power: where it has less than this, a known room is not inverted but replaced by the model."""


def denoised(clip: Clip, made: Clip) -> Clip:
    """The clip's share of the model's clean sound against the clip's steady noise."""
    return soft_mask.share(clip, soft_mask.powers(made), noise_power(clip))


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


def divided(clip: Clip, made: Sequence[Clip]) -> list[Clip]:
    """The clip in as many stems as the model made: they add up to it."""
    return soft_mask.shares(clip, [soft_mask.powers(stem) for stem in made])


def blended(clip: Clip, mended: Clip, strength: float) -> Clip:
    """`strength` of the mended clip, the rest as it came."""
    if strength == 1.0:
        return mended
    return replace(clip, samples=strength * mended.samples + np.float32(1.0 - strength) * clip.samples)
