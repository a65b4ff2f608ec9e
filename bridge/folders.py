# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders outside the import root whose files other programs may name, because the person has said so.

One JSON list in the data folder, read anew for every request: what is forgotten is closed at once.
"""

from __future__ import annotations

import json
from pathlib import Path

from bridge.placement import make_folder, write_text
from server.errors import InvalidInput, InvalidOption, StorageError


def list_path(home: Path) -> Path:
    """Where the list is kept."""
    return home / "bridge" / "folders.json"


def allowed(home: Path) -> tuple[Path, ...]:
    """The folders that are allowed, resolved, in the order in which they were.

    Raises:
        StorageError: the list cannot be read or is none.
    """
    path = list_path(home)
    try:
        named = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise StorageError(f"the list of allowed folders, {path}, cannot be read ({error}). Delete it, and allow the "
                           "folders again.", retryable=False) from error
    return tuple(Path(name) for name in named)


def allow(home: Path, folder: Path) -> Path:
    """Let other programs name files in `folder` and below; the folder, resolved.

    Raises:
        InvalidInput: there is no such folder.
        InvalidOption: a whole disk, or the home folder itself: that would be no limit any more.
    """
    resolved = folder.expanduser().resolve()
    if not resolved.is_dir():
        raise InvalidInput(f"there is no folder {folder}; give one that exists.")
    if resolved == Path(resolved.anchor) or Path.home().resolve().is_relative_to(resolved):
        raise InvalidOption(f"{resolved} holds everything that you have; allow only the folder of a project, or of sounds.")
    known = allowed(home)
    if resolved not in known:
        _write(home, (*known, resolved))
    return resolved


def forget(home: Path, folder: Path) -> Path:
    """Close a folder again; the folder, resolved.

    Raises:
        InvalidOption: it was not allowed.
    """
    resolved, known = folder.expanduser().resolve(), allowed(home)
    if resolved not in known:
        listed = ", ".join(map(str, known)) or "none"
        raise InvalidOption(f"{resolved} is not among the allowed folders; they are: {listed}.")
    _write(home, tuple(each for each in known if each != resolved))
    return resolved


def _write(home: Path, folders: tuple[Path, ...]) -> None:
    make_folder(list_path(home).parent)
    write_text(list_path(home), json.dumps([str(folder) for folder in folders], indent=1) + "\n")
