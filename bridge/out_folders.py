# SPDX-License-Identifier: GPL-3.0-or-later
"""Where commands have written results to, so that the history finds them: one JSON list, the newest first."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from bridge.placement import make_folder, write_text
from server.errors import StorageError

_MOST = 50


def remembered(home: Path) -> tuple[Path, ...]:
    """The folders that are still there; none where the list cannot be read, which costs only the finding."""
    try:
        return tuple(path for path in map(Path, json.loads(_list_path(home).read_text(encoding="utf-8"))) if path.is_dir())
    except (OSError, ValueError, TypeError):
        return ()


def remember(home: Path, folder: Path) -> None:
    """Put a folder at the head of the list. Where that is not possible, the results are no worse for it."""
    known = remembered(home)
    if known[:1] == (folder,):
        return
    kept = [folder, *(each for each in known if each != folder)][:_MOST]
    with contextlib.suppress(StorageError):
        make_folder(_list_path(home).parent)
        write_text(_list_path(home), json.dumps([str(path) for path in kept], indent=1) + "\n")


def _list_path(home: Path) -> Path:
    return home / "bridge" / "out_folders.json"
