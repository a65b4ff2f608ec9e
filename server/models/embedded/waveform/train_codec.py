"""Stage `codec`: how large every channel of the codec is over training sounds, and the autoencoder that this makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..augment import Bank, Mixing, Sampler
from ..corpus import Corpus
from . import stereo
from .lapped import Lapped, raw_latents
from .oobleck import autoencoder

CHUNK = 32


@torch.no_grad()
def measured(corpus: Corpus, count: int, seed: int, device: torch.device) -> Lapped:
    """The codec whose channels have mean 0 and deviation 1 over `count` training clips, single sounds and mixtures."""
    rows = corpus.of_split("train")
    sampler, bank = Sampler(corpus, rows, Mixing(0.2, 0.03)), Bank(corpus, rows, device)
    rng, generator = np.random.default_rng([seed, 95]), torch.Generator(device).manual_seed(seed)
    sums: list[Tensor] = []
    for _ in range(-(-count // CHUNK)):
        raw = raw_latents(stereo.render(bank, sampler.draw(rng, CHUNK), CHUNK, rng, generator)).double()
        sums.append(torch.stack([raw.mean((0, 2)), raw.square().mean((0, 2))]))
    middle, square = torch.stack(sums).mean(0)
    return Lapped(middle.float(), (square - middle**2).sqrt().float().clamp(min=1e-3)).paired()


def train_codec(corpus: Corpus, work: Path, count: int, seed: int, device: torch.device) -> None:
    """Write `codec.pt` and the folder `vae` into the work folder."""
    codec = measured(corpus, count, seed, device).to("cpu")
    work.mkdir(parents=True, exist_ok=True)
    torch.save(vars(codec), work / "codec.pt")
    autoencoder(codec).save_pretrained(work / "vae")


def load_codec(work: Path, device: torch.device) -> Lapped:
    """The codec of a work folder."""
    return Lapped(**torch.load(work / "codec.pt", weights_only=True)).to(device)
