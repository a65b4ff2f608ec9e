# SPDX-License-Identifier: GPL-3.0-or-later
"""What an embedding of sounds must offer, and the figures that any embedding gives: likeness of clips, FAD. No torch.

Two exist: `clap` (from the hub, the papers') and `embedded_embedding` (ships); `vggish` gives vectors for a Frechet
distance and no more. A figure is named after its embedding; only CLAP's are called CLAP-A and CLAP-T, only VGGish's FAD.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np

from server.audio import Clip
from server.measure.fad import frechet_distance
from server.measure.lpaps import Stages


class Vectors(Protocol):
    """What a Frechet distance can be taken in. name: of the network and its checkpoint. `windows`: float32 [n, d], one for
    each window of a clip."""

    name: str

    def windows(self, clip: Clip) -> np.ndarray: ...


class Embedding(Vectors, Protocol):
    """`windows` are unit vectors, one for each 10 s of a clip, so that two clips have a cosine."""


class Hearing(Embedding, Stages, Protocol):
    """An embedding whose network tells its features as well, for LPAPS: what a table is measured in."""


def embed(embedding: Vectors, clips: Iterable[Clip]) -> np.ndarray:
    """The vectors of all windows of all clips, [n, d]: what a Frechet distance is taken of."""
    return np.concatenate([embedding.windows(clip) for clip in clips])


def audio_agreement(embedding: Embedding, a: Clip, b: Clip) -> float:
    """Mean cosine of the windows of two clips at the same place, -1 to 1: CLAP-A, if the embedding is CLAP.

    Windows behind the end of the shorter clip do not count.
    """
    return float(np.mean([x @ y for x, y in zip(embedding.windows(a), embedding.windows(b), strict=False)]))


def frechet_audio_distance(embedding: Vectors, made: Iterable[Clip], real: Iterable[Clip]) -> float:
    """Frechet distance of two sets of clips in an embedding. `fad` says how it depends on their number."""
    return frechet_distance(embed(embedding, made), embed(embedding, real))
