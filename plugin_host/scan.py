# SPDX-License-Identifier: GPL-3.0-or-later
"""Which third-party plugins are installed: their files by name, found without loading any of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from server.errors import InvalidOption
from server.kinds.base import nearest

Format = Literal["vst3", "au"]
SUFFIXES: dict[str, str] = {"vst3": ".vst3", "au": ".component"}


@dataclass(frozen=True)
class PluginFile:
    """An installed plugin: its name is its file's, which is how presets call it."""

    name: str
    path: Path
    format: Format


def plugin_folders(format: Format) -> list[Path]:
    """Where this system keeps plugins of a format, by precedence: VST3_PATH, the person's own, the machine's."""
    if format == "au":
        return [Path.home() / "Library/Audio/Plug-Ins/Components", Path("/Library/Audio/Plug-Ins/Components")] \
            if sys.platform == "darwin" else []
    extra = [Path(entry).expanduser().absolute() for entry in os.environ.get("VST3_PATH", "").split(os.pathsep)
             if entry]
    if sys.platform == "darwin":
        return [*extra, Path.home() / "Library/Audio/Plug-Ins/VST3", Path("/Library/Audio/Plug-Ins/VST3")]
    if sys.platform == "win32":
        return [*extra, Path(os.environ.get("LOCALAPPDATA", Path.home())) / "Programs/Common/VST3",
                Path(os.environ.get("COMMONPROGRAMFILES", "C:/Program Files/Common Files")) / "VST3"]
    return [*extra, Path.home() / ".vst3", Path("/usr/lib/vst3"), Path("/usr/local/lib/vst3")]


def find_plugins(format: Format, folders: Sequence[Path] | None = None) -> list[PluginFile]:
    """Every plugin in the folders (the system's, when omitted) and their subfolders; the first of a name wins."""
    found: dict[str, PluginFile] = {}
    for folder in plugin_folders(format) if folders is None else folders:
        for path in _bundles(folder, SUFFIXES[format]):
            found.setdefault(_key(path.stem), PluginFile(path.stem, path, format))
    return sorted(found.values(), key=lambda plugin: plugin.name.casefold())


def find_plugin(format: Format, name: str) -> PluginFile:
    """The plugin of that path, or of that name (spaces and capitals aside) among the installed ones.

    Raises:
        InvalidOption: there is none; names the nearest installed one and the folders that were searched.
    """
    if Path(name).suffix.lower() == SUFFIXES[format]:
        path = Path(name).expanduser()
        if not path.exists():
            raise InvalidOption(f"There is no plugin file {path}. Check the path, or install the plugin.")
        return PluginFile(path.stem, path.resolve(), format)
    installed = find_plugins(format)
    for plugin in installed:
        if _key(plugin.name) == _key(name):
            return plugin
    hint = nearest(name, [plugin.name for plugin in installed]) if installed else "; none is."
    searched = ", ".join(str(folder) for folder in plugin_folders(format)) or "nowhere: this system has no such plugins"
    raise InvalidOption(f"The {format.upper()} plugin {name!r} is not installed{hint} Searched: {searched}.")


def loadable_path(path: Path) -> Path:
    """What Pedalboard wants to be given: the bundle, except on Windows, where it is the library inside."""
    if sys.platform == "win32" and path.is_dir():
        inner = sorted((path / "Contents").glob("*-win/*.vst3"))
        return inner[0] if inner else path
    return path


def _bundles(folder: Path, suffix: str) -> Iterator[Path]:
    """Plugins below `folder`: bundles are folders themselves, and what lies inside one is its own affair."""
    for parent, names, files in os.walk(folder):
        inner = [name for name in names if name.lower().endswith(suffix)]
        yield from (Path(parent, name) for name in sorted(inner))
        yield from (Path(parent, name) for name in sorted(files) if name.lower().endswith(suffix))
        names[:] = sorted(set(names) - set(inner))


def _key(name: str) -> str:
    return name.replace(" ", "").casefold()
