# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an OSC packet ends in a stream of bytes: SLIP (OSC 1.1) or a length before each (OSC 1.0). Pure.

A stream's first byte says which it is: a length below 16 MiB begins with a zero byte, SLIP with its END, or with the packet
itself where the sender leaves the first END out.
"""

from __future__ import annotations

from typing import Protocol

from server.errors import ProtocolError

MAX_PACKET = 65536
"""Bytes of one packet in a stream, either way."""
_END, _ESCAPE = b"\xc0", b"\xdb"
_ESCAPED_END, _ESCAPED_ESCAPE = b"\xdb\xdc", b"\xdb\xdd"
_LENGTH_BYTES = 4


class Framing(Protocol):
    """One of the two ways."""

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that these bytes complete; ProtocolError where they cannot be packets."""

    def frame(self, packet: bytes) -> bytes:
        """A packet as it goes into the stream."""


def find_framing(first: bytes) -> Framing:
    """The framing of a stream that begins with these bytes, at least one.

    Raises:
        ProtocolError: it is neither; for instance a browser's request.
    """
    if first[:1] == b"\0":
        return LengthFraming()
    if first[:1] in (_END, b"/", b"#"):
        return SlipFraming()
    raise ProtocolError(f"a stream that begins with {first[:1]!r} is no OSC, with SLIP or with lengths")


class SlipFraming:
    """RFC 1055, END at both sides of a packet."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        *whole, self._rest = (self._rest + data).split(_END)
        if len(self._rest) > 2 * MAX_PACKET or any(len(part) > 2 * MAX_PACKET for part in whole):
            raise ProtocolError(f"a packet of more than {MAX_PACKET} bytes")
        return [_unescaped(part) for part in whole if part]

    def frame(self, packet: bytes) -> bytes:
        return _END + packet.replace(_ESCAPE, _ESCAPED_ESCAPE).replace(_END, _ESCAPED_END) + _END


def _unescaped(part: bytes) -> bytes:
    packet = part.replace(_ESCAPED_END, _END).replace(_ESCAPED_ESCAPE, _ESCAPE)
    if len(packet) > MAX_PACKET:
        raise ProtocolError(f"a packet of {len(packet)} bytes; {MAX_PACKET} are the most")
    return packet


class LengthFraming:
    """Each packet behind its length, a big-endian int32."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        self._rest += data
        packets = []
        while len(self._rest) >= _LENGTH_BYTES:
            length = int.from_bytes(self._rest[:_LENGTH_BYTES], "big", signed=True)
            if not 0 < length <= MAX_PACKET:
                raise ProtocolError(f"a packet of {length} bytes; 1 to {MAX_PACKET} are possible")
            if len(self._rest) < _LENGTH_BYTES + length:
                break
            packets.append(self._rest[_LENGTH_BYTES:_LENGTH_BYTES + length])
            self._rest = self._rest[_LENGTH_BYTES + length:]
        return packets

    def frame(self, packet: bytes) -> bytes:
        return len(packet).to_bytes(_LENGTH_BYTES, "big") + packet
