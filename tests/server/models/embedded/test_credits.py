# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

from server.models.embedded.credits import FIELDS, credits_of, read_credits, write_credits
from server.models.embedded.vocabulary import NAMES


def entry(name: str, file: str) -> dict:
    return {"class": NAMES.index(name), "file": file, "title": "Glöckchen, \"klein\"", "author": "A, B",
            "licence": "CC0-1.0", "address": "https://freesound.org/s/1/"}


def test_one_line_per_file_of_the_classes_in_use() -> None:
    entries = [entry("dog", "b.ogg"), entry("bell", "a.ogg"), entry("bell", "a.ogg"), entry("engine", "c.ogg")]
    lines = credits_of(entries, ("dog", "bell"))
    assert [(line["file"], line["label"]) for line in lines] == [("a.ogg", "bell"), ("b.ogg", "dog")]


def test_lines_survive_the_file(tmp_path: Path) -> None:
    lines = credits_of([entry("dog", "b.ogg")], ("dog",))
    write_credits(lines, tmp_path / "credits.csv")
    assert read_credits(tmp_path / "credits.csv") == lines
    assert tuple(lines[0]) == FIELDS
