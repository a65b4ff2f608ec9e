# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that a host needs, put where it looks for them, and taken out again: `bridge/hosts/<host>/install.toml`.

    title = "REAPER"
    click = ["Actions > Show action list > New action > Load ReaScript ...", "..."]
    adapter = "ardour"                   # optional: module of bridge.adapters whose `install(target, undo)` does it instead
    [detect]
    programs = ["reaper"]
    [detect.folders]                     # the first that exists is the target; globs, ~ and $NAME are allowed
    linux = ["~/.config/REAPER"]
    macos = ["~/Library/Application Support/REAPER"]
    windows = ["$APPDATA/REAPER"]
    [detect.make]                        # optional: the target where none of them exists; it is made
    linux = "~/.local/lib/pd/extra"
    [[files]]
    from = "*.lua"                       # glob below the folder of this file; "../lua/*.lua": what several hosts share
    to = "Scripts/Athanor"               # below the target

What was put in is written down with its checksum, so that only that is taken out, and nothing that a person has changed.
"""

from __future__ import annotations

import glob
import importlib
import json
import os
import shutil
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.home import bridge_folder
from bridge.placement import checksum, make_folder, write_text
from server.errors import InvalidOption, StorageError
from server.kinds.base import nearest

HOSTS = Path(__file__).parent / "hosts"


@dataclass(frozen=True)
class Host:
    """One host that Athanor has files for. folders: where its own settings may lie on this system; make: where they go if
    there is no such folder."""

    name: str
    title: str
    click: tuple[str, ...] = ()
    adapter: str | None = None
    programs: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    make: str = ""
    files: tuple[dict[str, str], ...] = field(default=())

    @property
    def program(self) -> Path | None:
        """Where the program is, if it is found."""
        for name in self.programs:
            found = shutil.which(name) or next(iter(sorted(glob.glob(_expanded(name)))), None)
            if found:
                return Path(found)
        return None

    @property
    def target(self) -> Path | None:
        """The folder of the host's settings, if it is found; of several versions the newest."""
        found = [path for pattern in self.folders for path in sorted(glob.glob(_expanded(pattern)), reverse=True)]
        return Path(found[0]) if found else Path(_expanded(self.make)) if self.make else None


def load_hosts() -> dict[str, Host]:
    """Every host by name."""
    return {path.parent.name: _host(path) for path in sorted(HOSTS.glob("*/install.toml"))}


def find_host(name: str) -> Host:
    """The host of that name; InvalidOption naming the nearest."""
    hosts = load_hosts()
    if name not in hosts:
        raise InvalidOption(f"Athanor has no files for {name!r}{nearest(name, hosts)}")
    return hosts[name]


def install(host: Host, target: Path | None = None) -> list[Path]:
    """Put a host's files in; what was put in before, there or elsewhere, is taken out first. Returns the files.

    Raises:
        InvalidOption: the host's folder is not found and `target` not given.
        StorageError: it cannot be written, or a file of that name is there that is not ours, or has
            been changed since.
    """
    folder = target or host.target
    if folder is None:
        raise InvalidOption(f"{host.title} was not found: none of {', '.join(host.folders) or 'its folders'} exists. Start "
                            "it once, or name its folder with --to.")
    plan = {} if host.adapter else _planned(host, folder)
    _check_free(plan, _put_in(host))
    if _manifest(host).exists():
        uninstall(host)
    written = _adapter(host).install(folder) if host.adapter else _copy(plan)
    # What a host's adapter changes may be the person's own file, so its checksum says nothing about us.
    sums = {str(path): "" if host.adapter else checksum(path) for path in written}
    make_folder(_manifest(host).parent)
    write_text(_manifest(host), json.dumps({"target": str(folder), "files": sums}, indent=1) + "\n")
    return written


def uninstall(host: Host) -> tuple[list[Path], list[Path]]:
    """Take a host's files out again: those that went, and those that stay because somebody has changed them."""
    manifest = _manifest(host)
    if not manifest.exists():
        raise InvalidOption(f"Athanor has put nothing into {host.title}.")
    target = Path(json.loads(manifest.read_text(encoding="utf-8"))["target"])
    if host.adapter is not None:
        gone, changed = _adapter(host).install(target, undo=True), []
    else:
        present = _put_in(host)
        changed = [path for path, sum in present.items() if checksum(path) != sum]
        gone = [path for path in present if path not in changed]
        for path in gone:
            path.unlink()
            folder = path.parent
            while folder != target and not any(folder.iterdir()):
                folder.rmdir()
                folder = folder.parent
    manifest.unlink()
    return gone, changed


def installed(host: Host) -> list[Path]:
    """The files that were put into a host and are still there."""
    return list(_put_in(host))


def _put_in(host: Host) -> dict[Path, str]:
    """The same, each with the checksum that it had."""
    manifest = _manifest(host)
    if not manifest.exists():
        return {}
    files = json.loads(manifest.read_text(encoding="utf-8"))["files"]
    return {Path(name): sum for name, sum in files.items() if Path(name).exists()}


def _check_free(plan: dict[Path, Path], ours: dict[Path, str]) -> None:
    for source, to in plan.items():
        if to.exists() and checksum(to) not in (checksum(source), ours.get(to)):
            raise StorageError(f"{to} is there already and is not Athanor's; move it away and try again.", retryable=False)


def _copy(plan: dict[Path, Path]) -> list[Path]:
    for source, to in plan.items():
        make_folder(to.parent)
        try:
            shutil.copyfile(source, to)
        except OSError as error:
            raise StorageError(f"{to} cannot be written: {error.strerror}.") from error
    return list(plan.values())


def _planned(host: Host, folder: Path) -> dict[Path, Path]:
    """Source -> destination of every file."""
    own = HOSTS / host.name
    plan = {}
    for entry in host.files:
        base = own / Path(entry["from"].split("*")[0].rpartition("/")[0])
        for source in sorted(own.glob(entry["from"])):
            if source.is_file():
                plan[source] = folder / entry["to"] / source.relative_to(base)
    return plan


def _host(path: Path) -> Host:
    given: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    detect = given.get("detect", {})
    return Host(path.parent.name, given["title"], tuple(given.get("click", ())), given.get("adapter"),
                tuple(detect.get("programs", ())), tuple(detect.get("folders", {}).get(_system(), ())),
                detect.get("make", {}).get(_system(), ""), tuple(given.get("files", ())))


def _adapter(host: Host) -> Any:
    return importlib.import_module(f"bridge.adapters.{host.adapter}")


def _manifest(host: Host) -> Path:
    return bridge_folder() / "hosts" / f"{host.name}.json"


def _expanded(pattern: str) -> str:
    return os.path.expandvars(os.path.expanduser(pattern))


def _system() -> str:
    return {"darwin": "macos", "win32": "windows"}.get(sys.platform, "linux")
