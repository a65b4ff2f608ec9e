# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets in a stream: both framings byte for byte, in any pieces, and what is neither."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.framing import MAX_PACKET, LengthFraming, SlipFraming, find_framing
from server.errors import ProtocolError


def test_slip_is_written_byte_for_byte_as_rfc_1055_says():
    assert SlipFraming().frame(b"/a\xc0\xdb") == b"\xc0/a\xdb\xdc\xdb\xdd\xc0"
    assert SlipFraming().feed(b"\xc0/a\xdb\xdc\xdb\xdd\xc0\xc0/b\xc0") == [b"/a\xc0\xdb", b"/b"]


def test_a_length_is_a_big_endian_int32():
    assert LengthFraming().frame(b"/abc") == b"\0\0\0\x04/abc"
    assert LengthFraming().feed(b"\0\0\0\x04/abc\0\0\0\x03/d") == [b"/abc"]


@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=5), st.integers(1, 9), st.booleans())
def test_packets_survive_in_pieces_of_any_size(packets, piece, slip):
    writer = SlipFraming() if slip else LengthFraming()
    stream = b"".join(map(writer.frame, packets))
    reader = find_framing(stream)
    assert type(reader) is type(writer)
    got = [packet for at in range(0, len(stream), piece) for packet in reader.feed(stream[at:at + piece])]
    assert got == packets


def test_slip_without_its_first_end_is_read():
    framing = find_framing(b"/a\0\0,\0\0\0\xc0")
    assert framing.feed(b"/a\0\0,\0\0\0\xc0") == [b"/a\0\0,\0\0\0"]


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1", b"POST", b"\x16\x03\x01", b"\xff"])
def test_what_is_no_osc_is_refused_at_its_first_byte(first):
    with pytest.raises(ProtocolError, match="no OSC"):
        find_framing(first)


@pytest.mark.parametrize("length", [0, -1, MAX_PACKET + 1])
def test_an_impossible_length_ends_the_stream(length):
    with pytest.raises(ProtocolError):
        LengthFraming().feed(length.to_bytes(4, "big", signed=True))


def test_a_packet_that_never_ends_is_not_kept():
    framing = SlipFraming()
    with pytest.raises(ProtocolError, match="more than"):
        for _ in range(40):
            framing.feed(b"/" * 8192)
