# SPDX-License-Identifier: GPL-3.0-or-later
"""Which words a model knows, where it is known: classes of the models that ship, labels of a person's own models.

A model folder may hold `vocabulary.json`: a list of objects with `group`, `name` and `example`, as `athanor train` writes
it. A model without one takes words freely. No torch.
"""

from __future__ import annotations

import json
from pathlib import Path

from server.models.catalogue import SHIPPED, Source
from server.models.embedded.vocabulary import CLASSES

NAME = "vocabulary.json"
_MOST, _LONGEST = 300, 120
_FIELDS = ("group", "name", "example")


def vocabulary_of(source: Source) -> list[dict[str, str]]:
    """`group`, `name` and `example` (a prompt) of each class that a model knows; empty where that is not known."""
    folder = Path(source.source)
    if folder in SHIPPED:
        return [{"group": sound.group, "name": sound.name, "example": sound.example or sound.name} for sound in CLASSES]
    try:
        entries = json.loads((folder / NAME).read_text(encoding="utf-8"))
        return [{field: str(entry[field])[:_LONGEST] for field in _FIELDS} for entry in entries[:_MOST]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def write_vocabulary(folder: Path, entries: list[dict[str, str]]) -> None:
    """Write a model folder's vocabulary; each entry has `group`, `name` and `example`."""
    kept = [{field: entry[field] for field in _FIELDS} for entry in entries]
    (folder / NAME).write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
