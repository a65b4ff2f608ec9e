# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips that other programs name live under one folder, the import root, and a name can not lead out of it.

Except into folders that the person has allowed (`bridge.folders`): files there are named by their absolute paths.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath, PureWindowsPath

import platformdirs

from server.errors import InvalidInput

RESULTS_FOLDER = "results"
_MOST_NAMES = 5000


def default_root() -> Path:
    """The import root: ATHANOR_ROOT, else the folder `Athanor` in the person's music folder."""
    named = os.environ.get("ATHANOR_ROOT")
    return Path(named) if named else platformdirs.user_music_path() / "Athanor"


def resolve(root: Path, name: str, allowed: Sequence[Path] = ()) -> Path:
    """The existing file that `name` means under `root`, or, if it is absolute, in an `allowed` folder; resolved.

    Raises:
        InvalidInput: an empty name, an absolute one that lies in no allowed folder, one that leads out of the root (by
            `..` or a link), a folder, or no such file (the nearest existing name is given).
    """
    if allowed and name.strip() and "\0" not in name and Path(name).is_absolute():
        return _resolve_allowed(root, Path(name), allowed)
    _refuse_escape(root, name)
    home = root.resolve()
    path = (home / name).resolve()
    if not path.is_relative_to(home):
        raise InvalidInput(f"{name!r} leads out of the import root {root} (by a link); copy the file into it.")
    if path.is_dir():
        raise InvalidInput(f"{name!r} is a folder; name one sound file under {root}.")
    if not path.is_file():
        raise InvalidInput(f"there is no {name!r} under the import root {root}{_hint(home, name)}")
    return path


def _resolve_allowed(root: Path, path: Path, allowed: Sequence[Path]) -> Path:
    resolved = path.resolve()
    folders = [folder.resolve() for folder in (root, *allowed)]
    if not any(resolved.is_relative_to(folder) for folder in folders):
        raise InvalidInput(f"{path} lies neither under the import root {root} nor in an allowed folder; copy the file, or "
                           f"allow its folder: athanor folders allow {path.parent}")
    if not resolved.is_file():
        raise InvalidInput(f"{path} is a folder; name one sound file." if resolved.is_dir() else f"there is no {path}.")
    return resolved


def relative_name(root: Path, path: Path) -> str:
    """`path` as another program names it: relative to the root, with forward slashes."""
    return path.resolve().relative_to(root.resolve()).as_posix()


def _refuse_escape(root: Path, name: str) -> None:
    # Both flavours everywhere: a patch made on one system is opened on another.
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    if not name.strip() or "\0" in name:
        raise InvalidInput(f"an empty file name; name a sound file relative to the import root {root}.")
    if posix.is_absolute() or windows.drive or windows.root:
        raise InvalidInput(f"{name!r} is an absolute path; name files relative to the import root {root}, "
                           "and save or copy clips there, or allow their folder: athanor folders allow DIR")
    if ".." in posix.parts or ".." in windows.parts:
        raise InvalidInput(f"{name!r} leads out of the import root {root}; '..' is not allowed in a name.")


def _hint(home: Path, name: str) -> str:
    names = list(islice(_names(home), _MOST_NAMES))
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    return "." if names else "; the folder is empty."


def _names(home: Path) -> Iterator[str]:
    for folder, subfolders, files in os.walk(home):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for file in sorted(files):
            if not file.startswith("."):
                yield (Path(folder) / file).relative_to(home).as_posix()
