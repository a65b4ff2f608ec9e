# SPDX-License-Identifier: GPL-3.0-or-later
"""Under which licence a model's weights are: as the catalogue says, else as the folder's own README does. No torch."""

from __future__ import annotations

import re
from pathlib import Path

from server.models.catalogue import CATALOGUE, Source
from server.models.origin import origin_of

UNKNOWN = "unknown"
_LINE = re.compile(r"^license(_name)?:[ \t]*(?:\n[ \t]*-[ \t]+)?[\"']?([^\"'\s#][^\"'\n#]*)", re.MULTILINE)


def licence_of(source: Source, folder: Path) -> str:
    """The licence in words, "unknown" where nobody says: of the catalogue's card of that folder or hub repository, or of
    the repository that the folder was fetched from; else of its README."""
    known = {card.source: card.licence for card in CATALOGUE.values()}
    origin = origin_of(folder)
    return (known.get(source.source) or (known.get(origin.repository) if origin else None)
            or licence_in(folder / "README.md"))


def licence_in(readme: Path) -> str:
    """What the `license` line at the head of a hub README says; its `license_name` where the licence is "other"."""
    try:
        text = readme.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return UNKNOWN
    head = text.split("---", 2)[1] if text.startswith("---") and text.count("---") >= 2 else ""
    said = {bool(is_name): value.strip() for is_name, value in _LINE.findall(head)}
    return said.get(True) or said.get(False) or UNKNOWN
