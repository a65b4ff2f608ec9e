# SPDX-License-Identifier: GPL-3.0-or-later
"""What a loader says when a data set is not where it was told to look."""

from __future__ import annotations

from pathlib import Path

from server.errors import InvalidOption


def need(path: Path, what: str, where_from: str) -> Path:
    """`path` if it exists, or InvalidOption: what it should be, where the data come from."""
    if not path.exists():
        raise InvalidOption(f"{path} is missing: {what}. {where_from}")
    return path
