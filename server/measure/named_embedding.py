# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person names to have clips compared in: the embedding of `--embedding`, and where `--fad` measures distances.

Both know the same names; VGGish has vectors alone, so that it can be named for distances and for nothing else.
"""

from __future__ import annotations

from pathlib import Path

from server.errors import InvalidOption
from server.measure.clap import Clap
from server.measure.embedded_embedding import EmbeddedEmbedding
from server.measure.embedding import Hearing, Vectors
from server.measure.vggish import FILE, NAME, Vggish


def hearing_of(name: str) -> Hearing:
    """The embedding that ships where `name` is empty, else CLAP: `zerosep`, `editing`, a hub id or a folder.

    Raises:
        InvalidOption: VGGish, which tells neither likeness nor features.
        ModelUnavailable: it cannot be had, or cannot be loaded.
    """
    if _is_vggish(name):
        raise InvalidOption(f"--embedding {name}: VGGish gives vectors for Frechet distances alone. Say --fad {name}.")
    return Clap(name) if name else EmbeddedEmbedding()


def vectors_of(name: str) -> Vectors | None:
    """What `name` stands for: `vggish`, its file or its folder, or as `hearing_of`. None where it is empty."""
    return (Vggish(name) if _is_vggish(name) else hearing_of(name)) if name else None


def _is_vggish(name: str) -> bool:
    return name == NAME or Path(name).name == FILE or (bool(name) and (Path(name).expanduser() / FILE).is_file())
