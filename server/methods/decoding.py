# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoding for a gradient, in pieces that are computed again on the way back, so that a long clip fits in memory.

Differentiating a decoder keeps every activation: in Stable Audio Open's 60 MB a latent frame (measured with random weights
of its size), 13 GB for 10 s of stereo at 44.1 kHz. Here one piece at a time is in memory, 2.5 GB of that decoder, at the
price of a second forward pass. A decoder of bounded reach (`Backbone.reach`) is cut along time, with so many frames more on
each side that the pieces are exact; others are cut by item, and along time only where an item is longer than AT_ONCE_S.
What its network keeps for a gradient is thrown away block by block in the same way. `benchmarks/restore_memory.py` measures
what is left: the whole process of such a job, its network in half precision, stays below 8 GB.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from server.models.base import Backbone
from server.models.components import diffusers

PIECE_S = 1.0
"""Seconds of one piece along time."""
AT_ONCE_S = 12.0
"""Seconds of all items together up to which a decoder without bounded reach is differentiated in one go."""
DRAFT_MARGIN = 8
"""Latent frames beside a piece of a longer clip, where such a decoder's pieces are not quite those of the whole."""


def decode_for_gradient(backbone: Backbone, latents: Tensor, n_samples: int, piece_s: float = PIECE_S) -> Tensor:
    """The draft audio [batch, channels, n_samples] of latents, as `Backbone.decode_draft`; float32, differentiable."""
    rate = backbone.facts.sample_rate
    if backbone.reach is None:
        if len(latents) * n_samples <= AT_ONCE_S * rate:
            return backbone.decode_draft(latents, n_samples)
        if n_samples <= AT_ONCE_S * rate:
            return torch.cat([_again(backbone, item, n_samples) for item in latents.split(1)])
        piece_s, margin = AT_ONCE_S, DRAFT_MARGIN
    else:
        margin = backbone.reach
        if n_samples <= piece_s * rate:
            return backbone.decode_draft(latents, n_samples)
    length = max(1, round(piece_s * backbone.facts.latent_hz))
    return torch.cat([_in_pieces(backbone, item, n_samples, length, margin) for item in latents.split(1)])


def _in_pieces(backbone: Backbone, latents: Tensor, n_samples: int, length: int, margin: int) -> Tensor:
    """One item's audio, `length` latent frames at a time, each decoded with `margin` more on both sides."""
    hop = round(backbone.facts.sample_rate / backbone.facts.latent_hz)
    pieces = []
    for start in range(0, math.ceil(n_samples / hop), length):
        first, last = max(0, start - margin), min(start + length + margin, latents.shape[2])
        stop = min((start + length) * hop, n_samples)
        audio = _again(backbone, latents[:, :, first:last], min((last - first) * hop, n_samples - first * hop))
        pieces.append(audio[..., (start - first) * hop : stop - first * hop])
    return torch.cat(pieces, dim=-1)


def _again(backbone: Backbone, latents: Tensor, n_samples: int) -> Tensor:
    return checkpoint(backbone.decode_draft, latents, n_samples, use_reentrant=False, preserve_rng_state=False)


@contextmanager
def recomputed(network: nn.Module) -> Iterator[None]:
    """While it lasts, a gradient through Stable Audio's network computes its blocks again instead of keeping them.

    Other networks stay as they are: of 10 s a UNet keeps 2 GB.
    """
    heavy = isinstance(network, diffusers.StableAudioDiTModel)
    if heavy:
        network.enable_gradient_checkpointing()
    try:
        yield
    finally:
        if heavy:
            network.disable_gradient_checkpointing()
