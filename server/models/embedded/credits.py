"""Credits of the sounds behind a model: one line per recording, spoken sentence and soundfont program of its pack."""

import csv
from collections.abc import Iterable
from pathlib import Path

from .vocabulary import NAMES

FIELDS = ("file", "label", "title", "author", "licence", "source")


def credits_of(entries: Iterable[dict], classes: Iterable[str]) -> list[dict[str, str]]:
    """One line per file of the classes given, sorted: `label` is the class it was used for, `source` its address."""
    wanted, lines = set(classes), {}
    for entry in entries:
        label = NAMES[entry["class"]]
        if label in wanted:
            lines[entry["file"], label] = {
                "file": entry["file"], "label": label, "title": entry["title"], "author": entry["author"],
                "licence": entry["licence"], "source": entry["address"],
            }
    return [lines[key] for key in sorted(lines)]


def write_credits(lines: list[dict[str, str]], path: Path) -> None:
    """Write the lines as CSV, UTF-8, with a header."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, FIELDS, lineterminator="\n")
        table.writeheader()
        table.writerows(lines)


def read_credits(path: Path) -> list[dict[str, str]]:
    """The lines of a credits file."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
