# SPDX-License-Identifier: GPL-3.0-or-later
"""Athanor's scripts into Ardour and out again: files copied, actions and the timer hook registered, no click needed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from bridge.adapters.ardour_scripts import OURS, WITH_HOOKS, is_empty, with_scripts, without_scripts
from bridge.home import home_folder
from bridge.placement import make_folder, write_text
from server.errors import InvalidOption, StorageError

SCRIPTS = Path(__file__).parents[1] / "hosts" / "ardour"
_HOOK = re.compile(r'\["type"\]\s*=\s*"EditorHook"')
_NAME = re.compile(r'\bname\s*=\s*"([^"]*)"')
# In the order in which they shall stand in Ardour's menu.
_ORDER = ("fuse", "stems", "edits", "dropout", "room", "variations", "render", "place", "cancel")


def install(target: Path, undo: bool = False) -> list[Path]:
    """Put the scripts into Ardour's configuration, or take them out again. Either may be done twice.

    Args:
        target: Ardour's configuration folder, for instance ~/.config/ardour7.
        undo: take out; a person's own scripts stay, as they do when ours come in.

    Returns:
        The files that were written or removed.

    Raises:
        InvalidOption: `target` is no configuration folder of Ardour. InvalidInput: its `ui_scripts` is of a form that is
            not known. StorageError: it cannot be written.
    """
    version = re.fullmatch(r"ardour(\d+)", target.name, re.IGNORECASE)
    if version is None or not target.is_dir():
        raise InvalidOption(f"{target} is not Ardour's configuration folder, which is called ardour and its version, as "
                            "~/.config/ardour7. Start Ardour once, or name the folder.")
    registered = target / "ui_scripts"
    try:
        former = registered.read_text(encoding="utf-8") if registered.exists() else ""
        return _take_out(target, registered, former) if undo else _put_in(target, registered, former, int(version[1]))
    except OSError as error:
        raise StorageError(f"{error.filename or target} cannot be changed: {error.strerror}.") from error


def sources() -> tuple[dict[str, str], dict[str, str]]:
    """Lua source by name: the actions in the order of Ardour's menu, and the hooks."""
    actions, hooks = {}, {}
    files = [SCRIPTS / "scripts" / f"athanor_{name}.lua" for name in (*_ORDER, "watch")]
    for path in files:
        source = path.read_text(encoding="utf-8")
        name = _NAME.search(source)
        assert name is not None
        assert name[1].startswith(OURS), path
        (hooks if _HOOK.search(source) else actions)[name[1]] = source
    return actions, hooks


def _put_in(target: Path, registered: Path, former: str, version: int) -> list[Path]:
    actions, hooks = sources()
    text = with_scripts(former, actions, hooks if version in WITH_HOOKS else {})
    written = []
    for source in _files():
        copy = target / source.relative_to(SCRIPTS)
        make_folder(copy.parent)
        shutil.copyfile(source, copy)
        written.append(copy)
    home = target / "athanor" / "home.txt"
    write_text(home, f"{home_folder()}\n")
    write_text(registered, text)
    return [*written, home, registered]


def _take_out(target: Path, registered: Path, former: str) -> list[Path]:
    ours = [*(target / source.relative_to(SCRIPTS) for source in _files()), target / "athanor" / "home.txt"]
    gone = [path for path in ours if path.exists()]
    for path in gone:
        path.unlink()
    for folder in (target / "athanor", target / "scripts"):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    if former:
        rest = without_scripts(former)
        if is_empty(rest):
            registered.unlink()
        else:
            write_text(registered, rest)
    return gone


def _files() -> list[Path]:
    return sorted(SCRIPTS.rglob("*.lua"))
