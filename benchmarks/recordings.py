# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings to measure on: a folder with subfolders that each hold a `credits.csv` (columns file, label, source)."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from server.audio import Clip, fold_mono, read_clip, resample
from server.methods.fitting import repeat_to
from server.models import embedded

_CREDITS = Path(embedded.__file__).with_name("credits.csv")


@dataclass(frozen=True)
class Recording:
    """A labelled file; clips cut from one recording share a `source`."""

    path: Path
    label: str
    source: str

    def clip(self, seconds: float | None = None, sample_rate: int = 44100) -> Clip:
        """Mono at `sample_rate`; cut, or repeated, to `seconds`."""
        clip = resample(fold_mono(read_clip(self.path, max_channels=None)), sample_rate)
        return clip if seconds is None else repeat_to(clip, round(seconds * sample_rate))


def recordings(root: Path) -> list[Recording]:
    """Every recording under `root`."""
    found = []
    for table in sorted(root.glob("*/credits.csv")):
        with open(table, newline="", encoding="utf-8") as file:
            found += [Recording(table.parent / row["file"], row["label"], _source(row)) for row in csv.DictReader(file)]
    return found


def drawn(root: Path, n: int, seed: int = 0) -> list[Recording]:
    """`n` recordings of different labels, by seed; none that the embedded model was trained on, by its credits."""
    with open(_CREDITS, newline="", encoding="utf-8") as file:
        trained = {row["source"] for row in csv.DictReader(file)}
    every = [recording for recording in recordings(root) if recording.source not in trained]
    order = np.random.default_rng(seed).permutation(len(every))
    seen: dict[str, Recording] = {}
    for i in order:
        seen.setdefault(every[i].label, every[i])
    return list(seen.values())[:n]


def _source(row: dict[str, str]) -> str:
    return row.get("source") or re.sub(r"[-_ ]?\d+$", "", Path(row["file"]).stem)
