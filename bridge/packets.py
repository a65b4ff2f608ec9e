# SPDX-License-Identifier: GPL-3.0-or-later
"""OSC datagrams in and out: a total parser, and a writer that keeps to what every host understands.

Out go only the types `i f s`, at most MAX_DATAGRAM bytes, without bundles, arrays or time tags: Pure Data drops or
garbles everything else. In comes whatever a host sends; what is not OSC raises `ProtocolError` and nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.parsing import osc_types

from server.errors import InvalidInput, ProtocolError

MAX_DATAGRAM = 1024
MAX_MESSAGES = 256
INT_MAX = 2**31 - 1
_MAX_DEPTH = 8
_BUNDLE = b"#bundle\0"
_BUNDLE_HEAD = 16
_CONSTANTS = {"T": 1, "F": 0, "N": "", "I": 1}
_READERS = {
    "i": osc_types.get_int, "h": osc_types.get_int64, "f": osc_types.get_float, "d": osc_types.get_double,
    "s": osc_types.get_string, "S": osc_types.get_string, "b": osc_types.get_blob,
}

Value = str | int | float


@dataclass(frozen=True)
class Message:
    """One OSC message; values are numbers, texts and, where a host sends them, bytes."""

    address: str
    values: tuple[Any, ...] = ()


def decode(datagram: bytes) -> tuple[Message, ...]:
    """The messages of one datagram: bundles and arrays flattened in order, time tags ignored.

    Raises:
        ProtocolError: not an OSC packet, a bundle nested too deep, or one of more than MAX_MESSAGES messages.
    """
    messages = tuple(islice(_messages(datagram, depth=0), MAX_MESSAGES + 1))
    if len(messages) > MAX_MESSAGES:
        raise ProtocolError(f"a bundle of more than {MAX_MESSAGES} messages; send them in several datagrams")
    return messages


def _messages(packet: bytes, depth: int) -> Iterator[Message]:
    # python-osc's own bundle parser never ends on an element of negative size, so only its readers are used.
    if not packet.startswith(_BUNDLE):
        yield _message(packet)
        return
    if depth == _MAX_DEPTH or len(packet) < _BUNDLE_HEAD:
        raise ProtocolError(f"an OSC bundle that is cut off or nested deeper than {_MAX_DEPTH}")
    start = _BUNDLE_HEAD
    while start < len(packet):
        size = int.from_bytes(packet[start:start + 4], "big", signed=True)
        start += 4
        if not 0 < size <= len(packet) - start:
            raise ProtocolError(f"an OSC bundle element of {size} bytes where {len(packet) - start} are left")
        yield from _messages(packet[start:start + size], depth + 1)
        start += size


def _message(packet: bytes) -> Message:
    if not packet.startswith(b"/"):
        raise ProtocolError(f"{len(packet)} bytes that are no OSC message")
    try:
        address, index = osc_types.get_string(packet, 0)
        tags, index = osc_types.get_string(packet, index) if index < len(packet) else (",", index)
        values = []
        for tag in tags.removeprefix(","):
            if tag in _CONSTANTS:
                values.append(_CONSTANTS[tag])
            elif tag in _READERS:
                value, index = _READERS[tag](packet, index)
                values.append(value)
            elif tag not in "[]":
                raise ProtocolError(f"OSC type {tag!r} in {address} is not one of i f s")
    except (osc_types.ParseError, UnicodeDecodeError) as error:
        raise ProtocolError(f"{len(packet)} bytes that are no OSC message: {error}") from None
    return Message(address, tuple(values))


def encode(address: str, *values: Value, limit: int = MAX_DATAGRAM) -> bytes:
    """One packet of types i, f and s, of at most `limit` bytes; where it would be longer, its last text is cut.

    Raises:
        InvalidInput: too long, and the last argument is no text that could be cut.
    """
    datagram = _build(address, values)
    excess = len(datagram) - limit
    if excess <= 0:
        return datagram
    last = values[-1] if values else None
    if not isinstance(last, str) or len(last.encode()) < excess + 8:
        raise InvalidInput(f"{address} would be {len(datagram)} bytes; OSC messages here are at most {limit}. "
                           "Use shorter names.")
    kept = last.encode()[: -(excess + 8)].decode("utf-8", "ignore")
    return _build(address, (*values[:-1], kept + "..."))


def clamped(number: int) -> int:
    """`number` as an OSC int32, or -1 where it does not fit (the decimal text beside it is exact)."""
    return number if 0 <= number <= INT_MAX else -1


def _build(address: str, values: tuple[Value, ...]) -> bytes:
    builder = OscMessageBuilder(address)
    for value in values:
        if isinstance(value, str):
            builder.add_arg(value.replace("\0", " "), "s")
        elif isinstance(value, float):
            builder.add_arg(value, "f")
        else:
            builder.add_arg(int(value), "i")
    return builder.build().dgram
