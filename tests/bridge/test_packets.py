# SPDX-License-Identifier: GPL-3.0-or-later
"""OSC datagrams: what we write is what hosts can read, and nothing that arrives can do harm."""

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.packets import INT_MAX, MAX_DATAGRAM, clamped, decode, encode
from server.errors import InvalidInput, ProtocolError


def test_a_message_is_written_byte_for_byte_as_the_specification_says():
    expected = b"/a\0\0,ifs\0\0\0\0" + struct.pack(">if", -9, 0.5) + b"glass bells\0"
    assert encode("/a", -9, 0.5, "glass bells") == expected


def test_booleans_and_whole_floats_keep_to_i_f_s():
    assert encode("/a", True, 2.0)[4:8] == b",if\0"


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50), max_size=4))
def test_texts_survive_the_way_there_and_back(texts):
    (message,) = decode(encode("/athanor/v1/ok", *texts))
    assert list(message.values) == texts


def test_a_long_last_text_is_cut_to_the_datagram_limit_at_a_character():
    datagram = encode("/athanor/v1/error", "req1", "é" * 5000)
    (message,) = decode(datagram)
    assert MAX_DATAGRAM - 16 <= len(datagram) <= MAX_DATAGRAM
    assert message.values[1].endswith("é...")


def test_what_can_not_be_cut_is_refused():
    with pytest.raises(InvalidInput, match="at most 1024"):
        encode("/a", "x" * 2000, 1)


@pytest.mark.parametrize(("number", "sent"), [(0, 0), (INT_MAX, INT_MAX), (INT_MAX + 1, -1), (-5, -1)])
def test_numbers_beyond_int32_are_sent_as_minus_one(number, sent):
    assert clamped(number) == sent


def bundle(*elements: bytes, time: bytes = bytes(8)) -> bytes:
    return b"#bundle\0" + time + b"".join(struct.pack(">i", len(element)) + element for element in elements)


def test_bundles_are_flattened_in_order_and_their_time_is_ignored():
    far_future = b"\xff" * 8
    datagram = bundle(encode("/m0"), bundle(encode("/m1"), time=far_future), encode("/m2"), time=far_future)
    assert [message.address for message in decode(datagram)] == ["/m0", "/m1", "/m2"]


def test_arrays_are_flattened_and_constants_become_numbers_and_texts():
    (message,) = decode(b"/a\0\0,[is]TFN\0\0\0\0" + struct.pack(">i", 3) + b"x\0\0\0")
    assert message.values == (3, "x", 1, 0, "")


def nested_bundle(depth: int) -> bytes:
    datagram = bundle()
    for _ in range(depth):
        datagram = bundle(datagram)
    return datagram


@pytest.mark.parametrize("datagram", [
    b"", b"\0", b"junk", b"/", b"/a", b"/a\0\0", b"/a\0\0,i\0\0", b"/a\0\0,s\0\0abcd", b"/a\0\0,b\0\0\x7f\xff\xff\xff",
    b"/a\0\0,[[[", b"/a\0\0,]\0\0", b"/\xff\xfe\0,s\0\0\xff\xff\xff\0", b"#bundle\0",
    b"#bundle\0" + bytes(8) + b"\xff" * 4,
    b"#bundle\0" + bytes(8) + struct.pack(">i", -12), b"#bundle\0" + bytes(8) + bytes(400), nested_bundle(2500),
    b"/a\0\0,t\0\0" + b"\xff" * 8, b"/a\0\0,zzz\0\0\0\0",
])
def test_malformed_packets_are_a_protocol_error_or_nothing(datagram):
    try:
        assert isinstance(decode(datagram), tuple)
    except ProtocolError:
        pass


def test_random_and_mutated_packets_never_raise_anything_else():
    rng = random.Random(1)
    good = encode("/athanor/v1/render/fuse", "req1", "a.wav", 7, 0.5)
    for _ in range(5000):
        datagram = bytearray(rng.choice([good, nested_bundle(2), rng.randbytes(rng.randrange(80))]))
        for _ in range(rng.randrange(6)):
            if datagram:
                datagram[rng.randrange(len(datagram))] = rng.randrange(256)
        try:
            decode(bytes(datagram))
        except ProtocolError:
            pass


def test_a_bundle_of_thousands_of_messages_is_refused():
    with pytest.raises(ProtocolError, match="more than 256 messages"):
        decode(bundle(*[encode("/a")] * 1000))
