"""Encoded stereo clips for the transformer: pools of latents with their captions, each used several times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..augment import Bank, Sampler
from ..latents import PoolPlan
from . import stereo
from .lapped import Lapped


@dataclass(frozen=True)
class Pool:
    """Latents `[clips, 84, 320]` float16, captions, classes heard `[clips, n]`."""

    latents: Tensor
    captions: list[str]
    heard: Tensor


class Pools:
    """Pool k is a function of (seed, k), so resuming finds the same one; made pools are kept in `folder`."""

    def __init__(self, sampler: Sampler, bank: Bank, codec: Lapped, plan: PoolPlan, seed: int,
                 folder: Path | None = None) -> None:
        self.sampler, self.bank, self.codec, self.plan, self.seed, self.folder = sampler, bank, codec, plan, seed, folder
        self._index, self._pool = -1, None

    def get(self, index: int, varied: bool = True) -> Pool:
        """Pool number `index`, on the device."""
        if index != self._index:
            self._pool, self._index = self._kept(index) or self._make(index, varied), index
        return self._pool

    def _path(self, index: int) -> Path | None:
        return self.folder and self.folder / f"pool-{index}.pt"

    def _kept(self, index: int) -> Pool | None:
        path = self._path(index)
        if not path or not path.exists():
            return None
        return Pool(**torch.load(path, map_location=self.bank.device, weights_only=True))

    @torch.no_grad()
    def _make(self, index: int, varied: bool) -> Pool:
        rng = np.random.default_rng([self.seed, 94, index])
        generator = torch.Generator(self.bank.device).manual_seed(self.seed * 7919 + index)
        latents, captions, heard, chunk = [], [], [], min(self.plan.chunk, self.plan.clips)
        for _ in range(self.plan.clips // chunk):
            draw = self.sampler.draw(rng, chunk, varied)
            audio = stereo.render(self.bank, draw, chunk, rng, generator)
            latents.append(self.codec.encode(audio).half())
            captions += draw.captions
            heard.append(self.sampler.heard(draw, chunk))
        made = Pool(torch.cat(latents), captions, torch.cat(heard).to(self.bank.device))
        if path := self._path(index):
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.save(vars(made), path.with_suffix(".new"))
            path.with_suffix(".new").replace(path)
        return made
