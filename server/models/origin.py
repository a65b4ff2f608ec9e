# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a fetched model folder is from: `origin.json` in it, which holds as long as its files are as they came. No torch.

So the folder need not be read from end to end to know what is in it: every file was checked when it came. It is written
last; a file that is newer, or weights of another size, are not what came (trained on, weights keep their size).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "origin.json"
_LOADED = (".json", ".safetensors", ".txt", ".model")  # endings of what a model is loaded from


@dataclass(frozen=True)
class Origin:
    """repository: hub id; revision: its commit; n_bytes: of all weights in the folder, converted ones as they lie here."""

    repository: str
    revision: str
    n_bytes: int


def write_origin(folder: Path, repository: str, revision: str) -> None:
    """Keep which hub repository and commit the folder is of."""
    origin = Origin(repository, revision, _weight_bytes(folder))
    (folder / NAME).write_text(json.dumps(asdict(origin)) + "\n", encoding="utf-8")


def origin_of(folder: Path) -> Origin | None:
    """Where the folder is from; None where it does not say, or its files are no longer those that came."""
    try:
        origin = Origin(**json.loads((folder / NAME).read_text(encoding="utf-8")))
        came = (folder / NAME).stat().st_mtime_ns
    except (OSError, ValueError, TypeError):
        return None
    is_newer = any(path.stat().st_mtime_ns > came for path in folder.rglob("*")
                   if path.suffix in _LOADED and path.is_file())
    return None if is_newer or origin.n_bytes != _weight_bytes(folder) else origin


def _weight_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
