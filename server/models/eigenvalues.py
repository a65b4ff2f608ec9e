# SPDX-License-Identifier: GPL-3.0-or-later
"""How uncertain a model is at each noise level: the largest eigenvalues of its posterior covariance, averaged over clips.

They are much alike from clip to clip (Manor and Michaeli, section 3.3), so `vary` scales a direction that was found at one
level by the table's value at every other. A table is JSON:

    {"model": name, "revision": ..., "clips": how many, "seconds": of each, "snr_db": [levels, rising],
     "eigenvalues": [[largest, second, ...] for each level]}

The embedded model's ships with it; `python -m server.measure.eigenvalues` measures any other's.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from server.errors import InvalidInput
from server.models.base import BackboneFacts


@dataclass(frozen=True)
class EigenvalueTable:
    """Mean eigenvalues (geometric) at each level, the largest first, of `clips` clips of `seconds`."""

    model: str
    revision: str
    clips: int
    seconds: float
    snr_db: tuple[float, ...]
    eigenvalues: tuple[tuple[float, ...], ...]

    @property
    def n(self) -> int:
        """How many eigenvalues each level has."""
        return len(self.eigenvalues[0])

    def to_json(self) -> str:
        """The table as the text of its file."""
        return json.dumps(asdict(self), indent=1) + "\n"


def shipped_table(facts: BackboneFacts) -> EigenvalueTable | None:
    """The table that ships for exactly these weights, if there is one."""
    table = _shipped()
    return table if table is not None and table.revision == facts.revision else None


def read_table(path: Path, facts: BackboneFacts) -> EigenvalueTable:
    """The table in a file.

    Raises:
        InvalidInput: it is no such table, or was measured on other weights.
    """
    try:
        table = _parsed(path.read_text(encoding="utf-8"))
    except (ValueError, TypeError, KeyError):
        raise InvalidInput("The input 'eigenvalues' is no table of `python -m server.measure.eigenvalues`.") from None
    if table.revision != facts.revision:
        raise InvalidInput(f"The eigenvalues were measured on {table.model} revision {table.revision[:14]}; the model here "
                           f"is {facts.name} revision {facts.revision[:14]}. Measure them again, or leave them out.")
    return table


def _parsed(text: str) -> EigenvalueTable:
    stored = json.loads(text)
    snr_db, rows = tuple(stored["snr_db"]), tuple(tuple(map(float, row)) for row in stored["eigenvalues"])
    if not snr_db or len(snr_db) != len(rows) or list(snr_db) != sorted(set(snr_db)) or len({*map(len, rows)}) != 1:
        raise ValueError("one row of eigenvalues for each level, levels rising")
    positive = rows[0] and all(0.0 < value < math.inf for row in rows for value in row)
    if not positive or not all(map(math.isfinite, snr_db)):
        raise ValueError("positive eigenvalues, finite levels")
    clips, seconds = int(stored["clips"]), float(stored["seconds"])
    return EigenvalueTable(str(stored["model"]), str(stored["revision"]), clips, seconds, snr_db, rows)


@cache
def _shipped() -> EigenvalueTable | None:
    file = files("server.models.embedded").joinpath("eigenvalues.json")
    return _parsed(file.read_text(encoding="utf-8")) if file.is_file() else None
