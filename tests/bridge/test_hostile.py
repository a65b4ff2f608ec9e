# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts and broken programs send by UDP: too large, too fast, in the wrong order, from the future, in odd types."""

import asyncio
import struct

import pytest

from bridge.packets import decode, encode
from bridge.routes import PREFIX

FAR_FUTURE = b"\xff" * 8


def padded(data: bytes) -> bytes:
    return data + b"\0" * (4 - len(data) % 4)


def message(address: str, tags: str, *packed: bytes) -> bytes:
    """A message in types that are written by hand."""
    return padded(f"{PREFIX}/{address}".encode()) + padded(f",{tags}".encode()) + b"".join(packed)


def text(value: str) -> bytes:
    return padded(value.encode())


def bundle(*elements: bytes, time: bytes = FAR_FUTURE) -> bytes:
    return b"#bundle\0" + time + b"".join(struct.pack(">i", len(element)) + element for element in elements)


async def still_answers(client) -> bool:
    for number in range(30):  # one of them may find the socket's buffer full
        client.send("ping", f"alive{number}")
        await asyncio.sleep(0.02 * number)
        if any(m.values[0].startswith("alive") for m in client.received):
            client.received = [m for m in client.received if not m.values[0].startswith("alive")]
            return True
    return False


@pytest.mark.parametrize("size", [1025, 8193, 65504])
async def test_a_datagram_of_any_size_is_heard(client, size):
    client.send_bytes(message("ping", "ss", text("big"), text("x" * (size - 60))))
    assert "2 arguments came" in (await client.wait("error", "big")).values[3]
    client.send_bytes(b"\xff" * size)
    assert await still_answers(client)


async def test_a_burst_of_2000_is_answered_or_refused_and_never_twice(client):
    for number in range(2000):
        client.send("ping", f"p{number}")
        if number % 100 == 99:
            await asyncio.sleep(0)  # the bridge shares this loop
    assert await still_answers(client)
    answers = [m.values[0] for m in client.received if m.values[1] == f"{PREFIX}/ping"]
    assert len(answers) == len(set(answers)) > 200
    assert {m.values[2] for m in client.received if m.address == f"{PREFIX}/error"} <= {"too_many"}


async def test_the_same_render_sent_200_times_is_one_job(client):
    words = encode(f"{PREFIX}/render/fuse", "r", "original.wav", "reference.wav", "@seed", 5)
    for _ in range(200):
        client.send_bytes(words)
    await client.wait("failed", "r")
    assert (await client.ask("job/list", "l")).values[2] == 1
    assert len({m.values[2] for m in client.received if m.address == f"{PREFIX}/ok"}) == 1


async def test_messages_in_the_wrong_order_are_told_so_and_can_be_sent_again(client):
    ack, render = ("job/ack", "a", "r"), ("render/fuse", "r", "original.wav", "reference.wav")
    assert (await client.ask(*ack)).values[2] == "unknown_job"
    assert (await client.ask(*render)).address == f"{PREFIX}/ok"
    await client.wait("failed", "r")
    assert (await client.ask(*ack)).address == f"{PREFIX}/ok"
    assert (await client.ask(*ack)).address == f"{PREFIX}/ok"


async def test_a_bundle_from_the_future_is_answered_now(client):
    client.send_bytes(bundle(encode(f"{PREFIX}/ping", "p1"), bundle(encode(f"{PREFIX}/ping", "p2"))))
    await client.wait("ok", "p2")
    assert [m.values[0] for m in client.received] == ["p1", "p2"]


@pytest.mark.parametrize("broken", [
    bundle(b""), bundle(b"/"), b"#bundle", b"#bundle\0" + FAR_FUTURE + struct.pack(">i", -4),
    b"#bundle\0" + FAR_FUTURE + struct.pack(">i", 2**31 - 1), b"", b"\0", b"/", b"/a", b",i\0\0", b"#bundle\0" * 8,
    message("ping", "s", b"not ended"), message("ping", "b", struct.pack(">i", 2**31 - 1)),
    message("ping", "ii", b"\0\0\0\1"), message("ping", "q", text("p")), message("ping", "s", padded(b"\xff\xfe")),
])
async def test_broken_packets_are_passed_over(client, broken):
    client.send_bytes(broken)
    assert await still_answers(client)
    assert not client.received


async def test_a_bundle_nested_a_thousand_times_is_passed_over(client):
    packet = encode(f"{PREFIX}/ping", "deep")
    for _ in range(1000):
        packet = bundle(packet)
    client.send_bytes(packet[:60000])
    assert await still_answers(client)
    assert not client.received


async def test_every_osc_type_is_read_as_what_it_means(client):
    """int64, double, symbol, true, false, nil and an array stand for the numbers, texts and flags that they are."""
    values = "sss" + "sh" + "sd" + "sT" + "SS" + "s[s]"
    client.send_bytes(message(
        "render/fuse", values, text("types"), text("original.wav"), text("reference.wav"), text("@seed"),
        struct.pack(">q", 2**40), text("@snr_db"), struct.pack(">d", -9.5), text("@client"), text("@prompt"), text("glass"),
        text("@start"), text("480000")))
    assert "no client '1'" in (await client.wait("error", "types")).values[3]  # T is 1, and so a name that nobody has
    client.send_bytes(message(
        "render/fuse", "sss" + "sh" + "sd" + "SS" + "s[s]", text("fits"), text("original.wav"), text("reference.wav"),
        text("@start"), struct.pack(">q", 2**40), text("@snr_db"), struct.pack(">d", -9.5), text("@prompt"), text("glass"),
        text("@seed"), text("7")))
    await client.wait("ok", "fits")


@pytest.mark.parametrize(("tag", "packed"), [
    ("d", struct.pack(">d", float("inf"))), ("d", struct.pack(">d", float("nan"))), ("f", struct.pack(">f", float("nan"))),
    ("h", struct.pack(">q", -1)), ("N", b"")])
async def test_a_number_that_is_none_is_refused_with_its_name(client, tag, packed):
    client.send_bytes(message("render/fuse", "ssss" + tag, text("r"), text("original.wav"), text("reference.wav"),
                              text("@steps"), packed))
    answer = await client.wait("ok" if tag == "N" else "error", "r")  # nil is an empty text: not set
    assert tag == "N" or "steps" in answer.values[3]


async def test_a_request_id_may_be_a_number(client):
    client.send_bytes(message("ping", "h", struct.pack(">q", 2**40)))
    await client.wait("ok", str(2**40))
    client.send_bytes(message("ping", "f", struct.pack(">f", 7.0)))
    await client.wait("ok", "7")


async def test_answers_keep_to_the_profile(client):
    await client.ask("hello", "pd")
    client.send("render/fuse", "r", "original.wav", "reference.wav", "@prompt", "ü" * 200)
    for number in range(30):
        client.send(f"render/{'x' * 200}", f"{'y' * 100}{number}")
    await client.wait("failed", "r")
    assert await still_answers(client)
    for received in client.received:  # OscClient refuses more than 1024 bytes
        tags = encode(received.address, *received.values)
        assert decode(tags) == (received,)
