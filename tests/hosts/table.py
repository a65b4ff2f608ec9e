# SPDX-License-Identifier: GPL-3.0-or-later
"""What was proved in which host: a test writes its row, `make hosts` prints them all."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """One host's proof. real: the program itself, not a fake of its interface. placed_off_samples: distance from where the
    result belongs; None where the host has no timeline. audio: how the sound that came back was compared."""

    host: str
    version: str
    real: bool
    clip_out: bool
    placed_off_samples: int | None
    audio: str
    cancel: bool
    error_shown: bool
    seconds: float


def record(row: Row) -> None:
    """Add a row to the file that ATHANOR_HOSTS_TABLE names; nothing where it names none."""
    path = os.environ.get("ATHANOR_HOSTS_TABLE")
    if path:
        with open(path, "a", encoding="utf-8") as file:  # one short write a row: several test processes may add theirs
            file.write(json.dumps(asdict(row)) + "\n")


def proved(host: str, version: str, *, real: bool) -> Iterator[dict[str, Any]]:
    """For a module's fixture, by `yield from`: what its tests have shown, nothing yet. Its row is added afterwards."""
    shown = {"clip_out": False, "placed_off_samples": None, "audio": "not compared", "cancel": False, "error_shown": False,
             "seconds": 0.0}
    yield shown
    record(Row(host, version, real, **shown))


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table, real hosts first."""
    head = ("host", "version", "real or fake", "clip out", "samples off", "audio", "cancel", "error shown", "seconds")
    lines = [_cells(row) for row in sorted(rows, key=lambda row: (not row.real, row.host))]
    return "\n".join(f"| {' | '.join(line)} |" for line in [list(head), ["---"] * len(head), *lines])


def _cells(row: Row) -> list[str]:
    off = "-" if row.placed_off_samples is None else str(row.placed_off_samples)
    return [row.host, row.version, "real" if row.real else "fake: never run in the host", _yes(row.clip_out), off,
            row.audio, _yes(row.cancel), _yes(row.error_shown), f"{row.seconds:.1f}"]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


if __name__ == "__main__":
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    print(table([Row(**json.loads(line)) for line in text.splitlines()]))
