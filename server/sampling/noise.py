"""Noise keyed by (seed, stream, item, step): the same numbers whatever the batch, the branch or the device.

It is drawn on the CPU, one generator per item and step, so that a sweep's branch, a batch of variations and a single
render see bit-identical noise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

_WORD = 0xFFFFFFFF
_COUNT = 1 << 16  # items, and steps, that a stream can tell apart


class NoiseSource(Protocol):
    """Where a solver's random term comes from."""

    def term(self, step: int, shape: Sequence[int], scale: float) -> Tensor | None:
        """What step `step` adds: `scale` times noise, [batch, *shape]; None where it adds nothing."""
        ...


@dataclass(frozen=True)
class KeyedNoise:
    """Normal noise for a batch of items.

    seed: the job's seed; items: which item each row of the batch is (branches that share their noise share the item);
    name: the stream, an independent sequence per purpose ("step", "initial", "inversion", ...).
    """

    seed: int
    items: Sequence[int] = (0,)
    name: str = "step"

    def __call__(self, step: int, shape: Sequence[int]) -> Tensor:
        """Noise of unit deviation for `step`, [len(items), *shape] float32 on the CPU; items and steps below 65536."""
        drawn = {item: self._draw(item, step, tuple(shape)) for item in dict.fromkeys(self.items)}
        return torch.stack([drawn[item] for item in self.items])

    def term(self, step: int, shape: Sequence[int], scale: float) -> Tensor | None:
        return scale * self(step, shape) if scale else None

    def initial(self, shape: Sequence[int]) -> Tensor:
        """The noise that sampling starts from, [len(items), *shape]; independent of every step's."""
        return self.stream("initial")(0, shape)

    def stream(self, name: str) -> KeyedNoise:
        """The same seed and items in an independent sequence."""
        return replace(self, name=name)

    def only(self, items: Sequence[int]) -> KeyedNoise:
        """The same seed and stream for other items."""
        return replace(self, items=items)

    def _draw(self, item: int, step: int, shape: tuple[int, ...]) -> Tensor:
        generator = torch.Generator().manual_seed(_key(self.seed, self.name, item, step))
        return torch.randn(shape, generator=generator, dtype=torch.float32)


def _key(seed: int, name: str, item: int, step: int) -> int:
    """A generator's seed. torch's CPU generator reads 32 bits of it, so within a stream no two keys may coincide:
    (item, step) is scrambled one to one (murmur3's finalizer) and shifted by a hash of seed and stream."""
    if not (0 <= item < _COUNT and 0 <= step < _COUNT):
        raise ValueError(f"noise of item {item}, step {step}: both are 0 to {_COUNT - 1}")
    start = int.from_bytes(hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=4).digest(), "little")
    word = item * _COUNT + step
    word = (word ^ word >> 16) * 0x85EBCA6B & _WORD
    word = (word ^ word >> 13) * 0xC2B2AE35 & _WORD
    return (word ^ word >> 16) + start & _WORD


@dataclass(frozen=True, eq=False)
class GivenNoise:
    """Noise that is known.

    z: unit noise of each step that has some, [batch or 1, ...]; residual: what a step adds unscaled, in place of its z.
    """

    z: Mapping[int, Tensor]
    residual: Mapping[int, Tensor] = field(default_factory=dict)

    def term(self, step: int, shape: Sequence[int], scale: float) -> Tensor | None:
        if step in self.residual:
            return self.residual[step]
        return scale * self.z[step] if scale else None


@dataclass(frozen=True)
class Repeated:
    """The noise of one batch for `times` such batches in one: [times * batch, ...], all alike."""

    noise: NoiseSource
    times: int

    def term(self, step: int, shape: Sequence[int], scale: float) -> Tensor | None:
        term = self.noise.term(step, shape, scale)
        return None if term is None else repeated(term, self.times)


def repeated(x: Tensor, times: int) -> Tensor:
    """[times * batch, ...]: all rows of x [batch, ...], again and again."""
    return x.repeat(times, *[1] * (x.ndim - 1))
