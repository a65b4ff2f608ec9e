"""Encoded clips for the noise predictor: pools of latents with text vectors, made by the frozen autoencoder and text tower.

Encoding a clip on a CPU costs more than a training step on it, so a pool is used several times before the next is made.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from server.models.mel import log_mel

from .augment import Bank, Sampler
from .format import SPEC

P = TypeVar("P")
Vectors = Callable[[list[str]], Tensor]  # prompts to text vectors [batch, width]


@dataclass(frozen=True)
class PoolPlan:
    """Clips in a pool, how many times each is used before the next pool, and how many are encoded in one pass."""

    clips: int = 16384
    uses: int = 4
    chunk: int = 128

    def number_at(self, step: int, batch: int) -> int:
        """The number of the pool that a step of `batch` clips draws from."""
        return step // max(1, self.clips * self.uses // batch)


@dataclass(frozen=True)
class Encoded:
    """Latents `[clips, channels, frames, bands]` float16, text vectors `[clips, width]`, classes heard `[clips, n]`."""

    latents: Tensor
    vectors: Tensor
    heard: Tensor

    def at(self, index: Tensor) -> "Encoded":
        """The rows of an index tensor."""
        return Encoded(self.latents[index], self.vectors[index], self.heard[index])

    def piece(self, frames: int, generator: torch.Generator) -> "Encoded":
        """A random piece of `frames` latent frames, the same for all rows."""
        room = self.latents.shape[2] - frames
        if room <= 0:
            return self
        start = int(torch.randint(0, room + 1, (1,), device=generator.device, generator=generator))
        return Encoded(self.latents[:, :, start:start + frames], self.vectors, self.heard)


class KeptPools(ABC, Generic[P]):
    """Pool k is a function of (seed, k), so resuming finds the same one; the present pool is kept in `folder`.

    kind: the dataclass of a pool, of tensors and lists.
    """

    kind: type[P]

    def __init__(self, device: torch.device, folder: Path | None = None) -> None:
        self.device, self.folder = device, folder
        self._index, self._pool = -1, None

    def get(self, index: int, varied: bool = True) -> P:
        """Pool number `index`, on the device."""
        if index != self._index:
            self._pool, self._index = self._kept(index) or self._made(index, varied), index
        return self._pool

    @abstractmethod
    def _make(self, index: int, varied: bool) -> P: ...

    def _kept(self, index: int) -> P | None:
        path = self.folder and self.folder / f"pool-{index}.pt"
        if not path or not path.exists():
            return None
        return self.kind(**torch.load(path, map_location=self.device, weights_only=True))

    def _made(self, index: int, varied: bool) -> P:
        made = self._make(index, varied)
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)
            for old in self.folder.glob("pool-*.pt"):
                old.unlink()
            torch.save(vars(made), self.folder / f"pool-{index}.pt")
        return made


class Pools(KeptPools[Encoded]):
    """Clips encoded by the autoencoder, with the text tower's vectors."""

    kind = Encoded

    def __init__(self, sampler: Sampler, bank: Bank, vae: AutoencoderKL, vectors: Vectors, plan: PoolPlan, seed: int,
                 folder: Path | None = None) -> None:
        super().__init__(bank.device, folder)
        self.sampler, self.bank, self.vae, self.vectors = sampler, bank, vae, vectors
        self.plan, self.seed = plan, seed

    @torch.no_grad()
    def _make(self, index: int, varied: bool) -> Encoded:
        rng = np.random.default_rng([self.seed, 93, index])
        generator = torch.Generator(self.bank.device).manual_seed(self.seed * 7919 + index)
        latents, vectors, heard, chunk = [], [], [], min(self.plan.chunk, self.plan.clips)
        for _ in range(self.plan.clips // chunk):
            draw = self.sampler.draw(rng, chunk, varied)
            mel = log_mel(self.bank.render(draw, chunk, generator), SPEC)[:, None]
            posterior = self.vae.encode(mel.to(memory_format=torch.channels_last)).latent_dist  # float32: see `fold`
            latents.append((posterior.mode().float() * self.vae.config.scaling_factor).half())
            vectors.append(self.vectors(draw.captions))
            heard.append(self.sampler.heard(draw, chunk))
        return Encoded(torch.cat(latents), torch.cat(vectors), torch.cat(heard).to(self.bank.device))
