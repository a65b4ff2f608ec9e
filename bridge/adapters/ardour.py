# SPDX-License-Identifier: GPL-3.0-or-later
"""Athanor's scripts into Ardour and out again: files copied, actions and the timer hook registered, no click needed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from string import Template

from bridge.adapters.ardour_scripts import OURS, WITH_HOOKS, is_empty, with_scripts, without_scripts
from bridge.home import home_folder
from bridge.placement import make_folder, write_text
from server.errors import InvalidOption, StorageError

_HOSTS = Path(__file__).parents[1] / "hosts"


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


def files() -> dict[str, str]:
    """Everything that lies below Ardour's folder, as text by name: our Lua, and a script for each entry of actions.toml."""
    parts = {f"athanor/{path.name}": path.read_text(encoding="utf-8") for folder in ("lua", "ardour/athanor")
             for path in sorted((_HOSTS / folder).glob("*.lua"))}
    scripts = {f"scripts/athanor_{key}.lua": source for entries in _scripts() for key, (_, source) in entries.items()}
    return {**parts, "athanor/home.txt": f"{home_folder()}\n", **scripts}


def _scripts() -> tuple[dict[str, tuple[str, str]], dict[str, tuple[str, str]]]:
    """The actions, in the order of Ardour's menu, and the hooks: key -> name and Lua source."""
    table = tomllib.loads((_HOSTS / "ardour" / "actions.toml").read_text(encoding="utf-8"))

    def made(kind: str) -> dict[str, tuple[str, str]]:
        return {key: (OURS + entry["name"], Template(entry.get("script", table["script"])).substitute(entry))
                for key, entry in table[kind].items()}

    return made("action"), made("hook")


def _put_in(target: Path, registered: Path, former: str, version: int) -> list[Path]:
    actions, hooks = (dict(entries.values()) for entries in _scripts())
    text = with_scripts(former, actions, hooks if version in WITH_HOOKS else {})
    ours = files()
    for name, source in ours.items():
        make_folder((target / name).parent)
        write_text(target / name, source)
    write_text(registered, text)
    return [*(target / name for name in ours), registered]


def _take_out(target: Path, registered: Path, former: str) -> list[Path]:
    gone = [target / name for name in files() if (target / name).exists()]
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
