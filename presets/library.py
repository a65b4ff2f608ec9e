# SPDX-License-Identifier: GPL-3.0-or-later
"""Where presets are kept: those that ship with the program, and the person's own, which come first."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

import platformdirs

from plugin_host import Chain, resolve_chain
from presets.preset import Preset, read_preset
from server.errors import AthanorError, InvalidOption, StorageError
from server.kinds.base import nearest

_SHIPPED = Path(__file__).parent
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def user_folder(home: Path | None = None) -> Path:
    """The person's own presets: `presets` in the data folder (`home`, else ATHANOR_HOME, else the platform's)."""
    data = home or os.environ.get("ATHANOR_HOME") or platformdirs.user_data_path("athanor")
    return Path(data) / "presets"


def load(name: str | Path, *, home: Path | None = None) -> Preset:
    """The preset of that name, the person's own before the shipped one; or of that path, where it ends in `.toml`.

    Raises:
        InvalidOption: there is none (the nearest name is given), or its file does not hold.
    """
    if Path(name).suffix == ".toml":
        return read_preset(Path(name).expanduser())
    known = _files(home)
    if name not in known:
        raise InvalidOption(f"There is no preset {str(name)!r}{nearest(str(name), known)}")
    return _read(known[str(name)])


def load_chain(name: str | Path, *, home: Path | None = None) -> Chain:
    """The chain of a preset of kind chain, ready to run: every plugin it names is installed.

    Raises:
        InvalidOption: as `load`; the preset is of another kind, or a plugin is not installed.
    """
    preset = load(name, home=home)
    if preset.chain is None:
        raise InvalidOption(f"The preset {preset.name!r} is of kind {preset.kind!r}, not 'chain'. Give it as a "
                            "preset of that job; its own plugins run with it.")
    return resolve_chain(preset.chain)


def listing(*, home: Path | None = None, kind: str | None = None) -> list[Preset]:
    """Every preset that can be used, by name; of one kind, where it is given. What cannot is told by `problems`."""
    presets, _ = _read_all(home)
    return [preset for preset in presets if kind in (None, preset.kind)]


def problems(*, home: Path | None = None) -> list[str]:
    """One sentence for each preset file that cannot be used: which, and why."""
    _, faults = _read_all(home)
    return faults


def add(path: str | Path, *, replace: bool = False, home: Path | None = None) -> Preset:
    """Copy a preset file into the person's own presets, under its own file name.

    Args:
        replace: allow a name that is taken, by a shipped preset too (which comes back when this one is deleted).

    Raises:
        InvalidOption: the file does not hold, its name cannot name a preset, or the name is taken.
        StorageError: the folder cannot be written.
    """
    path = Path(path).expanduser()
    read_preset(path)
    if path.suffix != ".toml" or not _NAME.fullmatch(path.stem):
        raise InvalidOption(f"{path.name} cannot name a preset: use 1 to 64 letters, digits, '-' and '_', and '.toml'.")
    taken = _files(home).get(path.stem)
    if taken and not replace:
        owner = "ships with the program" if taken.parent == _SHIPPED else "is among your own"
        raise InvalidOption(f"A preset {path.stem!r} {owner}. Rename the file, or replace it explicitly.")
    target = user_folder(home) / path.name
    _write(target, path.read_bytes())
    return read_preset(target)


def export(name: str, path: str | Path, *, replace: bool = False, home: Path | None = None) -> Path:
    """Copy a preset's file to a path, or into a folder, to edit or share it. Returns where it went.

    Raises:
        InvalidOption: no such preset, or the target exists and `replace` is not set.
        StorageError: it cannot be written.
    """
    preset = load(name, home=home)
    target = Path(path).expanduser()
    if target.is_dir():
        target /= f"{preset.name}.toml"
    if target.exists() and not replace:
        raise InvalidOption(f"{target} exists already. Give another path, or replace it explicitly.")
    _write(target, preset.path.read_bytes())
    return target


def _files(home: Path | None) -> dict[str, Path]:
    files = {path.stem: path for folder in (_SHIPPED, user_folder(home)) for path in folder.glob("*.toml")}
    return dict(sorted(files.items()))


def _read(path: Path) -> Preset:
    return read_preset(path, shipped=path.parent == _SHIPPED)


def _read_all(home: Path | None) -> tuple[list[Preset], list[str]]:
    presets, faults = [], []
    for path in _files(home).values():
        try:
            presets.append(_read(path))
        except AthanorError as error:
            faults.append(error.message)
    return presets, faults


def _write(target: Path, content: bytes) -> None:
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(content)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as cause:
        raise StorageError(f"{target} cannot be written: {cause.strerror}. Free some space, or choose a folder that "
                           "can be written.") from cause
