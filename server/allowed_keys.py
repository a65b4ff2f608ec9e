# SPDX-License-Identifier: GPL-3.0-or-later
"""Which other machines may come in: a file of public keys, one a line, each with its machine's name behind it.

    0123456789012345678901234567890123456789 # studio laptop

The file is looked at again at every question, so that a key that is taken out of it is out at once.
"""

from __future__ import annotations

import re
from pathlib import Path

from server.errors import InvalidOption
from server.whole_file import write_private

KEY_CHARACTERS = 40
_MOST_NAME = 64


class AllowedKeys:
    """The keys of one file, as it is now. No file, no keys."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._names: dict[str, str] = {}

    def names(self) -> dict[str, str]:
        """Public key (Z85 text of 40 characters) -> name of its machine.

        Raises:
            InvalidOption: a line that is no key.
        """
        try:
            facts = self._path.stat()
        except OSError:  # no file, or none that we may see: the store says so
            return {}
        seen = (facts.st_mtime_ns, facts.st_size)
        if seen != self._seen:
            self._names = dict(_read(self._path))
            self._seen = seen
        return self._names

    def __contains__(self, key: str) -> bool:
        try:
            return key in self.names()
        except (InvalidOption, OSError):  # a file that cannot be read lets nobody in
            return False

    def add(self, name: str, key: str) -> None:
        """Let the machine `name` in, by this key and no older one of the same name.

        Raises:
            InvalidOption: no usable name, or no key.
        """
        if len(key) != KEY_CHARACTERS:
            raise InvalidOption(f"a public key has {KEY_CHARACTERS} characters, this has {len(key)}.")
        name = checked_name(name)
        self._write({**{old: of for old, of in self.names().items() if of != name}, key: name})

    def remove(self, name: str) -> None:
        """Let the machine `name` in no more.

        Raises:
            InvalidOption: there is none of that name.
        """
        names = self.names()
        if name not in names.values():
            raise InvalidOption(f"no machine {name!r} is paired; there is: {', '.join(sorted(names.values())) or 'none'}.")
        self._write({key: of for key, of in names.items() if of != name})

    def _write(self, names: dict[str, str]) -> None:
        write_private(self._path, "".join(f"{key} # {name}\n" for key, name in names.items()))
        self._seen = None


def checked_name(name: str) -> str:
    """A machine's name; InvalidOption if it could not stand behind a key in the file."""
    if not (re.fullmatch(rf"[^\s#][^#]{{0,{_MOST_NAME - 1}}}", name) and name.isprintable()):
        raise InvalidOption(f"{name!r} is no name for a machine: 1 to {_MOST_NAME} characters on one line, without '#'.")
    return name


def _read(path: Path) -> list[tuple[str, str]]:
    keys = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        key, _, name = line.partition(" #")  # Z85 has # in its alphabet, so a comment begins behind a space
        key = key.strip()
        if not key or key.startswith("# ") or key == "#":
            continue
        if len(key) != KEY_CHARACTERS:
            raise InvalidOption(f"{path}, line {number}: a public key has {KEY_CHARACTERS} characters, this has {len(key)}"
                                ".")
        keys.append((key, name.strip() or f"line {number}"))
    return keys
