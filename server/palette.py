# SPDX-License-Identifier: GPL-3.0-or-later
"""The palette: learned sounds, one safetensors file each, kept outside the evictable store.

The card of an entry is JSON in the file's own metadata under the key `athanor`, so that a file which is passed on by hand
still says what it is. The header of a safetensors file is a little-endian 64-bit length and that much JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.blobs import sync_folder
from server.errors import InvalidInput, InvalidOption, RequestRefused, StorageError
from server.kinds.learn import palette_name

SUFFIX = ".safetensors"
CARD_KEY = "athanor"
_MAX_HEADER_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Entry:
    """A palette entry as it is listed: `card` as the learn job wrote it (prompt, backbone, revision, reference)."""

    name: str
    bytes: int
    card: dict[str, Any]


def read_card(path: Path) -> dict[str, Any]:
    """The card in a palette file.

    Raises:
        InvalidInput: not a safetensors file, or one without a card.
    """
    try:
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _MAX_HEADER_BYTES:
                raise ValueError("header too long")
            header = json.loads(file.read(length))
            card = json.loads(header["__metadata__"][CARD_KEY])
    except (OSError, ValueError, KeyError, TypeError, struct.error, RecursionError):
        raise InvalidInput(f"{path.name} is not a palette entry: a safetensors file with a card under {CARD_KEY!r} is "
                           "expected, as `athanor palette export` writes it.") from None
    if not isinstance(card, dict):
        raise InvalidInput(f"{path.name}: its card is not a JSON object.")
    return card


class Palette:
    """The entries in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        """The file of an entry; InvalidOption if `name` cannot be one."""
        try:
            return self._folder / (palette_name(name) + SUFFIX)
        except ValueError as error:
            raise InvalidOption(f"palette name {name[:80]!r}: {error}.") from None

    def has(self, name: str) -> bool:
        """Whether there is an entry of that name."""
        return self.path(name).exists()

    def entries(self) -> list[Entry]:
        """All entries by name; a file that is none is left out."""
        found = []
        for file in sorted(self._folder.glob(f"*{SUFFIX}")):
            try:
                found.append(Entry(file.stem, file.stat().st_size, read_card(file)))
            except (InvalidInput, FileNotFoundError):
                continue
        return found

    def require(self, name: str) -> Path:
        """The file of an existing entry; RequestRefused `unknown_entry` naming what there is."""
        path = self.path(name)
        if not path.exists():
            names = ", ".join(entry.name for entry in self.entries()[:20]) or "nothing yet"
            raise RequestRefused(f"the palette has no {name!r}; it has {names}.", code="unknown_entry", retryable=False)
        return path

    def install(self, name: str, source: Path, *, replace: bool = False) -> Entry:
        """Copy a file into the palette under `name`, whole or not at all.

        Raises:
            InvalidInput: it is not a palette file.
            RequestRefused: `conflict`, another entry has that name and `replace` is off.
            StorageError: it could not be written.
        """
        card, path = read_card(source), self.path(name)
        if path.exists() and not replace and _digest(path) != _digest(source):
            raise RequestRefused(f"the palette has another {name!r} already. Choose another name, or give replace.",
                                 code="conflict", retryable=False)
        aside = self._folder / f".{name}.{secrets.token_hex(4)}.part"
        try:
            shutil.copyfile(source, aside)
            with open(aside, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(aside, path)
            sync_folder(self._folder)
        except OSError as error:
            aside.unlink(missing_ok=True)
            raise StorageError(f"the palette entry {path} could not be written ({error.strerror}). Free some space and try "
                               "again.") from None
        return Entry(name, path.stat().st_size, card)

    def remove(self, name: str) -> None:
        """Remove an entry; RequestRefused if there is none."""
        self.require(name).unlink()

    def clear_leavings(self) -> None:
        """Remove what a crash during `install` left."""
        for file in self._folder.glob(".*.part"):
            file.unlink(missing_ok=True)


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
