# SPDX-License-Identifier: GPL-3.0-or-later
"""The container of a Max for Live device (.amxd) around one patch, written and read.

A header of 36 bytes, the patch as JSON with a zero after it, then a directory of tagged chunks that names the patch:

    "ampf" <4 kind "ptch" <size of the rest   "mx@c" >16 >0 >end of the patch, counted from "mx@c"   patch \\0   "dlst" ...

`<` and `>` are 32 bits, little and big end first. A chunk's size counts its own 8 bytes. Known from devices that Max has
written; Ableton publishes no description.
"""

from __future__ import annotations

import struct

from server.errors import InvalidInput

AUDIO_EFFECT = b"aaaa"
_VERSION = 4
_HEADER = struct.Struct("<4sI4s4sI")
_CONTENT = struct.Struct(">4sIII")
_DATE = 3_870_000_000
"""Of every device that is made here: seconds since 1904, always the same, so that the same patch makes the same file."""


def pack(patch: str, name: str, kind: bytes = AUDIO_EFFECT) -> bytes:
    """A device's file.

    Args:
        patch: the patch, JSON.
        name: of the patch inside, ending in .maxpat; ASCII.
        kind: aaaa an audio effect, mmmm a MIDI effect, iiii an instrument.
    """
    body = patch.encode() + b"\0"
    entry = b"".join([
        _chunk(b"type", b"JSON"), _chunk(b"fnam", _padded(name.encode("ascii") + b"\0")), _number(b"sz32", len(body)),
        _number(b"of32", _CONTENT.size), _number(b"vers", 0), _number(b"flag", 17), _number(b"mdat", _DATE)])
    content = _CONTENT.pack(b"mx@c", 16, 0, _CONTENT.size + len(body)) + body + _chunk(b"dlst", _chunk(b"dire", entry))
    return _HEADER.pack(b"ampf", _VERSION, kind, b"ptch", len(content)) + content


def unpack(data: bytes) -> tuple[str, str, bytes]:
    """Patch, its name and the kind of a device that holds one patch.

    Raises:
        InvalidInput: it is no such file, or its sizes do not agree.
    """
    try:
        magic, version, kind, tag, size = _HEADER.unpack_from(data)
        start, _, _, end = _CONTENT.unpack_from(data, _HEADER.size)
    except struct.error:
        raise InvalidInput(f"{len(data)} bytes are too few for a Max for Live device.") from None
    content = data[_HEADER.size:]
    if (magic, version, tag, start) != (b"ampf", _VERSION, b"ptch", b"mx@c") or size != len(content):
        raise InvalidInput("this is not a Max for Live device of version 4, or it is not whole.")
    ((tag, directory),) = _chunks(content[end:])
    ((_, entry),) = _chunks(directory)
    fields = dict(_chunks(entry))
    first, length = (struct.unpack(">I", fields[name])[0] for name in (b"of32", b"sz32"))
    body = content[first:first + length]
    if tag != b"dlst" or first + length != end or not body.endswith(b"\0"):
        raise InvalidInput("the directory of this Max for Live device does not agree with what it holds.")
    return body[:-1].decode(), fields[b"fnam"].rstrip(b"\0").decode(), kind


def _chunk(tag: bytes, payload: bytes) -> bytes:
    return tag + struct.pack(">I", 8 + len(payload)) + payload


def _number(tag: bytes, value: int) -> bytes:
    return _chunk(tag, struct.pack(">I", value))


def _padded(payload: bytes) -> bytes:
    return payload + b"\0" * (-len(payload) % 4)


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found = []
    while data:
        tag, size = struct.unpack_from(">4sI", data)
        found.append((tag, data[8:size]))
        data = data[max(size, 8):]
    return found
