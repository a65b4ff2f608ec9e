# SPDX-License-Identifier: GPL-3.0-or-later
"""A model for this machine: fetched from the hub, or a folder that is here already. The process behind `athanor models
get` and `athanor models add`.

What is fetched lies in `<home>/models/NAME`, as the models that were trained here do, and gets its name in models.toml.
Files that are published in a layout of their own are converted there, and thrown away when that is done.
"""

from __future__ import annotations

import argparse
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from server.errors import InvalidInput, InvalidOption, ModelUnavailable, StorageError
from server.models.catalogue import CATALOGUE, DEFAULT_REVISION, Source, find, layout_of, sources
from server.models.convert import CONVERTED, Published, convert, published_layout
from server.models.folders import UNWANTED_FILES, check_model, wanted_files
from server.models.hub_files import Repository, fetch, look
from server.models.licences import licence_of
from server.models.origin import origin_of, write_origin
from server.models.own_models import ACTIONS, check_entry, check_name, model_folder, write_entry
from server.telling import Eta, Tell, told

MB = 1_000_000
SPARE_BYTES = 500 * MB
_TELL_EVERY_S = 0.5
_SHORTEST_COMMIT = 7  # digits


def get(name: str, home: Path, tell: Tell, revision: str | None = None) -> Path:
    """Fetch a model of the catalogue or of the hub, convert it if need be, and name it; gives its folder.

    Args:
        revision: branch, tag or commit; None takes that of models.toml, else the catalogue's commit, else the newest.

    Raises:
        InvalidOption: there is no such name; or the name that it would get is another model's.
        ModelUnavailable: the hub does not give it, or gives something else than a model; the message says what to do.
        StorageError: it does not fit on the disk.
    """
    source = find(name, home)
    if revision is not None:
        source = _at(source, revision)
    if not source.is_hub:
        tell("say", text=f"{name} is here already.")
        return _tell_model(source.name, source, Path(source.source), tell)
    card = next((c for c in CATALOGUE.values() if c.source == source.source), None)
    entry = card.name if card else _name_of_repository(source.source)
    folder = model_folder(home, entry)
    is_there = not check_entry(home, entry, model_folder(Path(), entry))
    if is_there:
        origin = origin_of(folder)
        if origin is None or origin.repository != source.source:
            raise _taken(entry, folder)
    if card and card.published:
        write_origin(folder, source.source, _get_published(source, CONVERTED[card.layout], folder, tell))
    elif is_there:
        _renew(source, folder, origin.revision, tell)
    else:
        write_origin(folder, source.source, _get_folder(source, folder, tell))
    write_entry(home, entry, model_folder(Path(), entry))
    return _tell_model(entry, source, folder, tell)


def _renew(source: Source, folder: Path, had: str, tell: Tell) -> None:
    """Fetch another revision beside a model of the commit `had`, which is in use, and put it in its place when it is whole.

    Where it is that commit already, only what is missing of it is fetched.
    """
    if look(source.source, source.revision or DEFAULT_REVISION, []).commit == had:
        write_origin(folder, source.source, _get_folder(source, folder, tell))
        return
    new, old = (folder.with_name(f"{folder.name}.{which}") for which in ("new", "old"))
    write_origin(new, source.source, _get_folder(source, new, tell))
    shutil.rmtree(old, ignore_errors=True)
    folder.rename(old)  # taking gigabytes away lasts: a stop meanwhile must leave a model
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _at(source: Source, revision: str) -> Source:
    """The source at another revision; where it was fetched before, from the repository that it is from."""
    if source.is_hub:
        return replace(source, revision=revision)
    origin = origin_of(Path(source.source))
    if origin is None:
        raise InvalidOption(f"{source.name} is {source.source}, which was not fetched from the hub: it has no revisions.")
    if origin.revision.startswith(revision.lower()) and len(revision) >= _SHORTEST_COMMIT:
        return source
    return Source(source.name, origin.repository, revision)


def add(given: Path, name: str | None, home: Path, tell: Tell) -> Path:
    """Give a folder a name that every command knows, converted first if it is published files; gives the model's folder.

    Raises:
        InvalidInput: there is no such folder.
        InvalidOption: the name is taken.
        ModelUnavailable: it holds no model that can be loaded; the message says what is missing.
    """
    if not given.is_dir():
        raise InvalidInput(f"There is no folder {given}.")
    name = name or _name_from(given.resolve().name)
    published = None if (given / "model_index.json").is_file() else published_layout(given)
    if published is None:
        layout = layout_of(given)
        check_model(given, layout)
        folder = given.resolve()
    else:
        layout, folder = published.layout, model_folder(home, name)
    _check_new_name(home, name, layout, folder)
    if published is not None:
        if folder.exists():
            raise _taken(name, folder)
        tell("say", text=f"converting {given} ...")
        convert(given, folder, _text_files(given, tell))
    write_entry(home, name, model_folder(Path(), name) if published else folder)
    return _tell_model(name, Source(name, str(folder)), folder, tell)


def _get_folder(source: Source, folder: Path, tell: Tell) -> str:
    index = look(source.source, source.revision or DEFAULT_REVISION, ["model_index.json"])
    if not index.files:
        known = ", ".join(card.name for card in CATALOGUE.values() if card.licence_url)
        raise ModelUnavailable(f"{source.source} holds no model_index.json: it is no model in the diffusers layout. Models "
                               f"that can be fetched by name: {known}.")
    fetch(index, folder)
    layout = layout_of(folder)
    repository = look(source.source, index.commit, wanted_files(layout), UNWANTED_FILES)
    _fetch(repository, folder, tell, room=repository.n_bytes)
    check_model(folder, layout)
    return index.commit


def _get_published(source: Source, published: Published, folder: Path, tell: Tell) -> str:
    files = folder.with_name(f"{folder.name}.published")
    repository = look(source.source, source.revision or DEFAULT_REVISION, published.files)
    _fetch(repository, files, tell, room=2 * repository.n_bytes)  # once more as the model's folder
    tell("say", text="converting ...")
    convert(files, folder, _text_files(files, tell))
    shutil.rmtree(files)
    return repository.commit


def _text_files(beside: Path, tell: Tell) -> Callable[[str, Sequence[str]], Path]:
    """A text encoder that published files do not hold: in a folder of its name beside them, fetched if it is not there."""

    def text_files(name: str, patterns: Sequence[str]) -> Path:
        folder = beside / name.rpartition("/")[2]
        if not (folder / "config.json").is_file() or list(folder.glob("*.part")):
            repository = look(name, DEFAULT_REVISION, patterns)
            _fetch(repository, folder, tell, room=repository.n_bytes)
        return folder

    return text_files


def _fetch(repository: Repository, folder: Path, tell: Tell, room: int) -> None:
    """Say the size, see that there is room, and fetch."""
    here = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if room - here + SPARE_BYTES > free:
        raise StorageError(f"{repository.name} needs {_gb(room)} here, and {folder} has {_gb(free)} free. Make room, or "
                           "set another data folder with --home.", retryable=False)
    tell("say", text=f"{repository.name}: {len(repository.files)} files, {_gb(repository.n_bytes)}"
                     + (f", {_gb(here)} of it here" if here >= MB else ""))
    eta, said_at = Eta(), 0.0

    def on_bytes(n_bytes: int) -> None:
        nonlocal said_at
        if time.monotonic() - said_at > _TELL_EVERY_S or n_bytes == repository.n_bytes:
            said_at = time.monotonic()
            tell("progress", phase="fetching (MB)", step=n_bytes // MB, n_steps=max(1, repository.n_bytes // MB),
                 eta_s=eta.left_s(n_bytes - here, repository.n_bytes - here))

    fetch(repository, folder, on_bytes)


def _check_new_name(home: Path, name: str, layout: str, folder: Path) -> None:
    """A name of the catalogue may be given to a model of its layout; any other has to be free, or this folder's already."""
    card, there = CATALOGUE.get(name), sources(home).get(name)
    if card is not None and card.layout == layout and there is not None and there.source == card.source:
        return
    if there is None or there.source != str(folder):
        check_name(home, name)


def _taken(name: str, folder: Path) -> InvalidOption:
    """What is said instead of writing over a model, which may be a training's work."""
    return InvalidOption(f"There is another model called {name!r} already, in {folder}, which is not overwritten. Give "
                         "that one another name, its folder and its lines in models.toml, and try again.")


def _tell_model(name: str, source: Source, folder: Path, tell: Tell) -> Path:
    tell("model", name=name, folder=str(folder), layout=layout_of(folder), licence=licence_of(source, folder))
    return folder


def _name_from(text: str) -> str:
    """A folder's or repository's name as a model's: lower case, other characters as hyphens."""
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-_")[:64] or "own"


def _name_of_repository(repository: str) -> str:
    """The name of what is after the owner; with the owner where another model or a command has that name."""
    name = _name_from(repository.rpartition("/")[2])
    return _name_from(repository) if name in CATALOGUE or name in ACTIONS else name


def _gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e8 else f"{n_bytes / 1e6:.1f} MB"


def main() -> int:
    """Carry out one command; what it tells goes to stdout as JSON lines."""
    parser = argparse.ArgumentParser(prog="python -m server.obtaining", description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("get", "add"))
    parser.add_argument("what")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--name")
    parser.add_argument("--revision")
    asked = parser.parse_args()
    if asked.action == "get":
        if asked.name:
            parser.error("--name is for add")
        return told(lambda tell: get(asked.what, asked.home, tell, asked.revision) and None)
    if asked.revision:
        parser.error("--revision is for get")
    return told(lambda tell: add(Path(asked.what), asked.name, asked.home, tell) and None)


if __name__ == "__main__":
    raise SystemExit(main())
