# SPDX-License-Identifier: GPL-3.0-or-later
"""MusicDelta of MedleyDB with the released prompts (MedleyMDPrompts): what the editing paper edits.

    AUDIO/**/MusicDelta_NAME_MIX.wav        34 excerpts; MedleyDB has each in a folder of its own
    PROMPTS/captions_sources.csv            filename, source_captions: three or four for each file
    PROMPTS/captions_targets.csv            filename, target_captions, can_be_used_without_source, source_caption_index

`source_caption_index` counts a file's source captions from 1. The paper edits 324 of the 696 pairs and does not say which.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from server.audio import Clip, read_clip
from server.errors import InvalidOption
from server.measure.datasets.missing import need

WHERE = ("MedleyDB's audio: https://medleydb.weebly.com (on request, for research); the prompts (CC BY 4.0): folder "
         "MedleyMDPrompts of https://github.com/HilaManor/AudioEditingCode.")


@dataclass(frozen=True)
class Edit:
    """One edit: the file, what it is in words, what it shall be; `alone`: the target says enough without the source."""

    path: Path
    source: str
    target: str
    alone: bool

    def clip(self) -> Clip:
        """The whole excerpt, 20 s to 5 min, stereo 44.1 kHz."""
        return read_clip(self.path)


def edits(audio: Path, prompts: Path) -> list[Edit]:
    """All pairs of source and target prompt whose file is there, in the order of the table.

    Raises:
        InvalidOption: a table or its columns are missing, a row names a source caption that the file has not, or no file
            of the table is there.
    """
    sources: dict[str, list[str]] = {}
    for row in _table(prompts / "captions_sources.csv", ("filename", "source_captions")):
        sources.setdefault(row["filename"], []).append(row["source_captions"])
    need(audio, "the folder of MusicDelta's mixtures", WHERE)
    files = {path.name: path for path in audio.rglob("MusicDelta_*.wav")}
    targets = _table(prompts / "captions_targets.csv",
                     ("filename", "target_captions", "can_be_used_without_source", "source_caption_index"))
    found = [_edit(row, sources.get(row["filename"], []), files[row["filename"]])
             for row in targets if row["filename"] in files]
    if not found:
        wanted = sorted({row["filename"] for row in targets}) or ["MusicDelta_80sRock_MIX.wav"]
        raise InvalidOption(f"{audio} has none of the {len(wanted)} files that the prompts are for, such as {wanted[0]}. "
                            f"{WHERE}")
    return found


def _edit(row: dict[str, str], sources: list[str], path: Path) -> Edit:
    number = int(row["source_caption_index"])
    if not 1 <= number <= len(sources):
        raise InvalidOption(f"{row['filename']} has {len(sources)} source captions; a target names number {number}.")
    return Edit(path, sources[number - 1], row["target_captions"], row["can_be_used_without_source"] == "1")


def _table(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    with need(path, f"the prompts' table with the columns {', '.join(columns)}", WHERE).open(newline="",
                                                                                           encoding="utf-8") as file:
        reader = csv.DictReader(file)
        lacking = set(columns) - set(reader.fieldnames or ())
        if lacking:
            raise InvalidOption(f"{path} lacks the columns {', '.join(sorted(lacking))}. {WHERE}")
        return list(reader)
