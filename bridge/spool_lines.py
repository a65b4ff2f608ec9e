# SPDX-License-Identifier: GPL-3.0-or-later
r"""A message as one line of text: the address, then the values, separated by tabs. Pure.

In a value a tab is written \t, a line's end \n, a carriage return \r and a backslash \\. Values that come are texts.
"""

from __future__ import annotations

import re

from bridge.packets import Message, Value
from server.errors import ProtocolError

MAX_BYTES = 65536
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_MEANINGS = {escape: character for character, escape in _ESCAPES.items()}


def message_text(message: Message) -> str:
    """The line, with its end."""
    return "\t".join(_escaped(value) for value in (message.address, *message.values)) + "\n"


def read_message(data: bytes) -> Message:
    """The message of a file.

    Raises:
        ProtocolError: too long, not UTF-8, not one line that begins with an address, or an unknown escape.
    """
    if len(data) > MAX_BYTES:
        raise ProtocolError(f"a message of {len(data)} bytes; {MAX_BYTES} are the most.")
    try:
        line = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ProtocolError("a message that is not UTF-8.") from None
    line = line.removesuffix("\n").removesuffix("\r")
    if not line.startswith("/") or "\n" in line or "\0" in line:
        raise ProtocolError("a message file holds one line: an address, then its values, separated by tabs.")
    address, *values = (_meant(field) for field in line.split("\t"))
    return Message(address, tuple(values))


def _escaped(value: Value) -> str:
    return re.sub(r"[\\\t\n\r]", lambda found: _ESCAPES[found[0]], str(value))


def _meant(field: str) -> str:
    def character(found: re.Match[str]) -> str:
        if found[0] not in _MEANINGS:
            raise ProtocolError(rf"{found[0]!r} means nothing; \t, \n, \r and \\ do.")
        return _MEANINGS[found[0]]

    return re.sub(r"\\.?", character, field)
