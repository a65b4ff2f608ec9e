"""Encoded stereo clips for the transformer: pools of latents with their captions, each used several times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..augment import Bank, Sampler
from ..latents import KeptPools, PoolPlan
from . import stereo
from .lapped import Lapped


@dataclass(frozen=True)
class Pool:
    """Latents `[clips, 84, 320]` float16, captions, classes heard `[clips, n]`."""

    latents: Tensor
    captions: list[str]
    heard: Tensor


class Pools(KeptPools[Pool]):
    """Stereo clips encoded by the codec, with their captions."""

    kind = Pool

    def __init__(self, sampler: Sampler, bank: Bank, codec: Lapped, plan: PoolPlan, seed: int,
                 folder: Path | None = None) -> None:
        super().__init__(bank.device, folder)
        self.sampler, self.bank, self.codec, self.plan, self.seed = sampler, bank, codec, plan, seed

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
        return Pool(torch.cat(latents), captions, torch.cat(heard).to(self.bank.device))
