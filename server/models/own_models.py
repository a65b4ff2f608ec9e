# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's own models: where they lie in the data folder, and how they get a name that every command knows. No torch.

    <home>/training/NAME/   what a training keeps to go on with: pack, corpus, checkpoint, training.json
    <home>/models/NAME/     the finished model, a folder in the diffusers layout
    <home>/models.toml      its name
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from server.errors import InvalidOption
from server.models.catalogue import sources

ACTIONS = ("get", "add", "load", "unload", "pin", "unpin")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def training_folder(home: Path, name: str) -> Path:
    """Where the training of that name works."""
    return home / "training" / name


def model_folder(home: Path, name: str) -> Path:
    """Where the finished model of that name lies."""
    return home / "models" / name


def check_name(home: Path, name: str) -> None:
    """Raise InvalidOption unless `name` can name an own model: well formed, and free or an own model's already."""
    if not _NAME.fullmatch(name):
        raise InvalidOption(f"{name!r} is no name for a model: it is 1 to 64 of a-z, 0-9, '-' and '_', and starts with a "
                            "letter or digit. Give another with --name.")
    if name in ACTIONS:
        raise InvalidOption(f"{name!r} is what `athanor models {name}` does, and no name for a model. Give another with "
                            "--name.")
    there = sources(home).get(name)
    if there is not None and Path(there.source) != model_folder(home, name).resolve():
        raise InvalidOption(f"the name {name!r} is taken: it stands for {there.source}. Give another with --name.")


def register(home: Path, name: str) -> None:
    """Give the model in `model_folder` its name in models.toml; nothing happens if it has it. Raises as `check_name`."""
    check_name(home, name)
    if name not in sources(home):
        write_entry(home, name, model_folder(Path(), name))


def check_entry(home: Path, name: str, folder: Path) -> bool:
    """Whether models.toml has yet to be told that `name` is `folder`. Raises InvalidOption: there it is something else."""
    path = home / "models.toml"
    there = tomllib.loads(path.read_text(encoding="utf-8")).get(name) if path.exists() else None
    if there is None:
        return True
    if (home / there.get("source", "")).resolve() != (home / folder).resolve():
        # A source that is not there yet would read as a hub id.
        advice = (f'Write source = "{folder.as_posix()}" there, or take its lines out.' if (home / folder).is_dir() else
                  f"Take its lines out, try again, and put the others below the new [{name}].")
        raise InvalidOption(f"{path} has [{name}] already. {advice}")
    return False


def write_entry(home: Path, name: str, folder: Path) -> None:
    """Give `folder` (absolute, or relative to `home`) a name in models.toml, whose other lines stay as they are.

    Raises:
        InvalidOption: the file has that name already, for another folder.
    """
    if not check_entry(home, name, folder):
        return
    path = home / "models.toml"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    text += "\n" if text and not text.endswith("\n\n") else ""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_text(f"{text}[{name}]\nsource = {json.dumps(folder.as_posix(), ensure_ascii=False)}\n", encoding="utf-8")
    new.replace(path)
