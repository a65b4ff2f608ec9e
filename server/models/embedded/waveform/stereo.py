"""Stereo training clips: every sound of a draw has a place between the sides, and a room sounds different on each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..augment import Bank, Draw

CENTRED = 0.4  # share of sounds that are in the middle
WIDEST = 0.8  # of the way to a side
WET = 7  # row of `Draw.numbers`


def places(rng: np.random.Generator, count: int) -> np.ndarray:
    """Where sounds are, -1 (left) to 1 (right), float32 `[count]`."""
    return np.where(rng.random(count) < CENTRED, 0, rng.uniform(-WIDEST, WIDEST, count)).astype(np.float32)


def render(bank: Bank, draw: Draw, batch: int, rng: np.random.Generator, generator: torch.Generator,
           peak: float = 0.5) -> Tensor:
    """Clips `[batch, 2, 163840]` float32, each with the peak given; equal power over the places."""
    left = bank.voices(draw, generator)
    right, wet = left.clone(), np.flatnonzero(draw.numbers[WET] > 0)
    if len(wet):
        right[wet] = bank.voices(replace(draw, numbers=draw.numbers[:, wet], rows=draw.rows[wet]), generator)
    angle = torch.from_numpy((places(rng, len(draw.rows)) + 1) * np.pi / 4).to(left)[:, None]
    sides = torch.stack([bank.mixed(voices * gain, draw, batch, generator)
                         for voices, gain in ((left, angle.cos()), (right, angle.sin()))], 1)
    return sides * (peak / (sides.abs().amax((1, 2), keepdim=True) + 1e-6))
