# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings to measure on: a folder with subfolders that each hold a `credits.csv` (columns file, label, source)."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Recording:
    """A labelled file; clips cut from one recording share a `source`."""

    path: Path
    label: str
    source: str


def recordings(root: Path) -> list[Recording]:
    """Every recording under `root`."""
    found = []
    for table in sorted(root.glob("*/credits.csv")):
        with open(table, newline="", encoding="utf-8") as file:
            found += [Recording(table.parent / row["file"], row["label"], _source(row)) for row in csv.DictReader(file)]
    return found


def _source(row: dict[str, str]) -> str:
    return row.get("source") or re.sub(r"[-_ ]?\d+$", "", Path(row["file"]).stem)
