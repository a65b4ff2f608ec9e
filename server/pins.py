# SPDX-License-Identifier: GPL-3.0-or-later
"""The models that a person wants kept loaded, by name, in one small file that outlives worker and server. No torch."""

from __future__ import annotations

import json
from pathlib import Path

from server.blobs import write_durable


class Pins:
    """The file `path`: a JSON list of names. One that is missing or damaged pins nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        """What is pinned, in the order it was."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []

    def keep(self, name: str, pinned: bool) -> None:
        """Write down that `name` is pinned, or is no longer. Raises OSError."""
        names = [one for one in self.names() if one != name] + [name] * pinned
        beside = self._path.with_suffix(".new")
        write_durable(beside, json.dumps(names).encode())
        beside.replace(self._path)
