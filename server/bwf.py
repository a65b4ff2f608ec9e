# SPDX-License-Identifier: GPL-3.0-or-later
"""The broadcast-wave stamp: a WAV's `bext` chunk (EBU Tech 3285), packed, unpacked and found among a file's chunks.

The stamp is what puts a result at the right sample of a timeline: `time_reference_samples` counts from the session's
zero at the file's own sample rate. Text in a bext chunk is ASCII; accents are stripped, the rest is replaced by "?".
"""

from __future__ import annotations

import io
import re
import struct
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from server.errors import InvalidInput

_FIXED = struct.Struct("<256s32s32s10s8sQH64s190s")
_VERSION = 1
_UNKNOWN_SIZE = 0xFFFFFFFF
_MAGICS = {b"RIFF": "<I", b"RF64": "<I", b"BW64": "<I", b"FORM": ">I"}
_SOUND_CHUNKS = (b"data", b"SSND")


@dataclass(frozen=True)
class Bext:
    """The fields of a bext chunk.

    Args:
        description: free text; cut after 256 characters.
        originator: program that made the file, at most 32 characters.
        originator_reference: its identifier (our job id), at most 32 characters.
        date: `YYYY-MM-DD` or empty.
        time: `HH:MM:SS` or empty.
        time_reference_samples: start of the clip, samples since the session's zero, 0 to 2^64 - 1.
        coding_history: one line for each processing step; any length.

    Raises:
        InvalidInput: a field does not fit the chunk.
    """

    description: str = ""
    originator: str = "athanor"
    originator_reference: str = ""
    date: str = ""
    time: str = ""
    time_reference_samples: int = 0
    coding_history: str = ""

    def __post_init__(self) -> None:
        for name in ("originator", "originator_reference"):
            if len(getattr(self, name)) > 32:
                raise InvalidInput(f"bext {name} '{getattr(self, name)}' is longer than the 32 characters it may have.")
        if not 0 <= self.time_reference_samples < 2**64:
            raise InvalidInput(f"bext time reference {self.time_reference_samples} is outside 0 to 2^64 - 1 samples.")
        if not re.fullmatch(r"(\d{4}.\d\d.\d\d)?", self.date) or not re.fullmatch(r"(\d\d.\d\d.\d\d)?", self.time):
            raise InvalidInput(f"bext date '{self.date}' or time '{self.time}' is not YYYY-MM-DD and HH:MM:SS.")

    def pack(self) -> bytes:
        """The chunk's content: 602 bytes and the coding history, without the chunk header."""
        fixed = _FIXED.pack(_ascii(self.description), _ascii(self.originator), _ascii(self.originator_reference),
                            _ascii(self.date), _ascii(self.time), self.time_reference_samples, _VERSION, b"", b"")
        return fixed + _ascii(self.coding_history)


def unpack(content: bytes, name: str) -> Bext:
    """The stamp in a bext chunk's content; `name` is what an error calls the file.

    Raises:
        InvalidInput: the chunk is shorter than its fixed part, so the position it holds cannot be trusted.
    """
    if len(content) < _FIXED.size:
        raise InvalidInput(f"{name}: its time stamp (bext chunk) is damaged: {len(content)} bytes of at least "
                           f"{_FIXED.size}. Export the file again.")
    description, originator, reference, date, time, samples, *_ = _FIXED.unpack_from(content)
    date_text, time_text = _text(date), _text(time)
    return Bext(_text(description), _text(originator), _text(reference),
                date_text if re.fullmatch(r"\d{4}.\d\d.\d\d", date_text) else "",
                time_text if re.fullmatch(r"\d\d.\d\d.\d\d", time_text) else "",
                samples, _text(content[_FIXED.size:]))


def read_bext(path: str | Path) -> Bext | None:
    """The stamp of a WAV, RF64 or BW64 file; None where it has none (any other format included).

    Raises:
        InvalidInput: the file cannot be opened, or its stamp is damaged.
    """
    try:
        with open(path, "rb") as file:
            return find_bext(file, str(path))
    except OSError as cause:
        raise InvalidInput(f"{path} cannot be read: {cause.strerror}. Give the path of a sound file.") from cause


def find_bext(file: BinaryIO, name: str) -> Bext | None:
    """As `read_bext`, from an open file, which is left at its start."""
    for chunk, start, size, available in _chunks(file):
        if chunk == b"bext":
            file.seek(start)
            content = file.read(min(size, available))
            file.seek(0)
            return unpack(content, name)
    file.seek(0)
    return None


def missing_sound_bytes(file: BinaryIO) -> int:
    """How many bytes of sound the header promises beyond the file's end (WAV and AIFF; 0 for other formats)."""
    missing = [size - available for chunk, _, size, available in _chunks(file)
               if chunk in _SOUND_CHUNKS and size != _UNKNOWN_SIZE]
    file.seek(0)
    return max(missing, default=0)


def chunk(identifier: bytes, content: bytes) -> bytes:
    """One RIFF chunk, padded to an even length."""
    return identifier + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int, int]]:
    """Identifier, start of content, declared size and bytes really there, for each chunk up to the file's end."""
    end = file.seek(0, io.SEEK_END)
    file.seek(0)
    header = file.read(12)
    if len(header) < 12 or header[:4] not in _MAGICS:
        return
    size_format = _MAGICS[header[:4]]
    position = 12
    while position + 8 <= end:
        file.seek(position)
        head = file.read(8)
        (size,) = struct.unpack(size_format, head[4:])
        yield head[:4], position + 8, size, max(0, min(size, end - position - 8))
        position += 8 + size + size % 2


def _ascii(text: str) -> bytes:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return plain.encode("ascii", "replace")


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("ascii", "replace")
