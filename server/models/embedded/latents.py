"""Encoded clips for the noise predictor: pools of latents with text vectors, made by the frozen autoencoder and text tower.

Encoding a clip on a CPU costs more than a training step on it, so a pool is used several times before the next is made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from server.models.mel import log_mel

from .augment import Bank, Sampler
from .format import SPEC

Vectors = Callable[[list[str]], Tensor]  # prompts to text vectors [batch, width]


@dataclass(frozen=True)
class PoolPlan:
    """Clips in a pool, how many times each is used before the next pool, and how many are encoded in one pass."""

    clips: int = 16384
    uses: int = 4
    chunk: int = 128


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


class Pools:
    """Pool k is a function of (seed, k), so resuming finds the same one; the present pool is kept in `folder`."""

    def __init__(self, sampler: Sampler, bank: Bank, vae: AutoencoderKL, vectors: Vectors, plan: PoolPlan, seed: int,
                 folder: Path | None = None) -> None:
        self.sampler, self.bank, self.vae, self.vectors = sampler, bank, vae, vectors
        self.plan, self.seed, self.folder = plan, seed, folder
        self._index, self._pool = -1, None

    def get(self, index: int, varied: bool = True) -> Encoded:
        """Pool number `index`, on the device."""
        if index != self._index:
            self._pool, self._index = self._kept(index) or self._make(index, varied), index
        return self._pool

    def _kept(self, index: int) -> Encoded | None:
        path = self.folder and self.folder / f"pool-{index}.pt"
        if not path or not path.exists():
            return None
        return Encoded(**torch.load(path, map_location=self.bank.device, weights_only=True))

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
        made = Encoded(torch.cat(latents), torch.cat(vectors), torch.cat(heard).to(self.bank.device))
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)
            for old in self.folder.glob("pool-*.pt"):
                old.unlink()
            torch.save(vars(made), self.folder / f"pool-{index}.pt")
        return made
