# SPDX-License-Identifier: GPL-3.0-or-later
"""Under which licence a model's weights are: as the catalogue says, else as the folder's own README does. No torch.

A folder that was fetched from the hub keeps in `origin.json` which repository and commit it is of.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from server.models.catalogue import CATALOGUE, Source

UNKNOWN = "unknown"
ORIGIN = "origin.json"
_LINE = re.compile(r"^license(_name)?:\s*[\"']?([^\"'\n#]+)", re.MULTILINE)


def licence_of(source: Source, folder: Path) -> str:
    """The licence in words, "unknown" where nobody says: of the catalogue's card of that folder or hub repository, or of
    the repository that the folder was fetched from; else of its README."""
    known = {card.source: card.licence for card in CATALOGUE.values()}
    return known.get(source.source) or known.get(origin_of(folder) or "") or licence_in(folder / "README.md")


def origin_of(folder: Path) -> str | None:
    """The hub repository that a folder was fetched from, where it says so."""
    try:
        return str(json.loads((folder / ORIGIN).read_text(encoding="utf-8"))["repository"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_origin(folder: Path, repository: str, revision: str) -> None:
    """Keep which hub repository and commit a folder is of."""
    (folder / ORIGIN).write_text(json.dumps({"repository": repository, "revision": revision}) + "\n", encoding="utf-8")


def licence_in(readme: Path) -> str:
    """What the `license` line at the head of a hub README says; its `license_name` where the licence is "other"."""
    try:
        text = readme.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return UNKNOWN
    head = text.split("---", 2)[1] if text.startswith("---") and text.count("---") >= 2 else ""
    said = {bool(is_name): value.strip() for is_name, value in _LINE.findall(head)}
    return said.get(True) or said.get(False) or UNKNOWN
