# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedding that ships, for whoever cannot reach the hub: it stands where the papers have CLAP, and is never called so.

Likeness and Frechet distances are in `timbre-1` (`timbre`), 10 s windows as the papers take them. A distance of features
(where they have LPAPS) is of the four stages of the embedded model's own mel encoder, a network trained to rebuild sounds,
not to name them; what it finds alike is what that model can tell apart.

There is no text side: nothing that ships says how well a sound agrees with words without having made it. Offline, the
judge does (`judge`, taught on the corpus with networks that `fetch held-out` brings): its probability of the class that the
words name stands where the papers have CLAP-T.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip
from server.measure import timbre
from server.measure.embedding import embed as embed_by
from server.measure.ten_seconds import repeated, windows
from server.models.components import diffusers, load_module
from server.models.embedded.format import FOLD, SPEC
from server.models.mel import log_mel


class EmbeddedEmbedding:
    """`timbre-1` window by window, and the stages of the embedded model's encoder."""

    name = timbre.NAME

    def windows(self, clip: Clip) -> np.ndarray:
        """Unit vectors float32 [n, 184], one for each 10 s of a clip."""
        return np.stack([timbre.embed(Clip(part[None], SPEC.sample_rate)) for part in windows(clip, SPEC.sample_rate)]
                        ).astype(np.float32)

    @torch.no_grad()
    def stages(self, clip: Clip) -> list[list[Tensor]]:
        """Of every window, the encoder's features [tokens, channels] behind each of its blocks; a token is a place.

        The gain counts, as it does for the ear. A window shorter than 0.1 s is repeated to that.
        """
        return [_features(part) for part in windows(clip, SPEC.sample_rate)]


def embed(clips: Iterable[Clip]) -> np.ndarray:
    """Vectors [n, 184] of the 10 s windows of all clips, for `fad.frechet_distance`."""
    return embed_by(EmbeddedEmbedding(), clips)


def _features(samples: np.ndarray) -> list[Tensor]:
    frame = SPEC.hop * FOLD
    n_samples = max(len(samples) // frame, 2 * SPEC.n_fft // frame + 1) * frame
    mel = log_mel(torch.from_numpy(repeated(samples.astype(np.float32), n_samples))[None], SPEC)
    vae, found = _autoencoder(), []
    hooks = [block.register_forward_hook(lambda module, given, made: found.append(made[0].flatten(1).T))
             for block in vae.encoder.down_blocks]
    try:
        vae.encoder(mel[:, None])
    finally:
        for hook in hooks:
            hook.remove()
    return found


@cache
def _autoencoder() -> Any:
    with as_file(files("server.models.embedded") / "weights") as folder:
        return load_module(diffusers.AutoencoderKL, Path(folder), "vae")
