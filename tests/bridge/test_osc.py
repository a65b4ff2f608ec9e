# SPDX-License-Identifier: GPL-3.0-or-later
"""The OSC server: one answer for every request, to the right client, and nothing that arrives can stop it."""

import random
import struct

import numpy as np
import pytest
import soundfile

from bridge.packets import Message, encode
from bridge.routes import PREFIX, PROFILE
from bridge.transports import Transports
from server.errors import StorageError

# Fixtures and OscClient are in conftest.py.


def is_ok(message: Message) -> bool:
    return message.address == f"{PREFIX}/ok"


async def test_hello_says_where_files_are_and_gives_a_new_session(client, root):
    first = await client.ask("hello", "pd", 0, "my patch", PROFILE)
    assert is_ok(first)
    assert first.values[2:5] == (PROFILE, first.values[3], str(root))
    second = await client.ask("hello", "pd")
    assert first.values[5] != second.values[5]


async def test_hello_of_another_profile_is_refused(client):
    answer = await client.ask("hello", "pd", 0, "my patch", 2)
    assert answer.values[2] == "unsupported_version"


async def test_ping_works_without_and_with_an_id(client):
    assert (await client.ask("ping", "p1")).values[2] == PROFILE
    client.send("ping")
    assert (await client.wait("ok", "")).values[1] == f"{PREFIX}/ping"


async def test_answers_go_to_the_reply_port(lonely_bridge, client):
    from_other = type(client)(lonely_bridge.port)
    client.send("hello", "max", from_other.port, "Max", PROFILE)
    answer = await from_other.wait("ok", "max")
    assert answer.values[1] == f"{PREFIX}/hello"
    client.send("ping", "p1")
    await from_other.wait("ok", "p1")
    client.send("ping", "p2", "@nonsense", 1)
    client.send("no/such", "p3")
    for request in ("p2", "p3"):
        await from_other.wait("error", request)
    assert not client.received
    from_other.close()


async def test_several_clients_each_get_their_own_answers(lonely_bridge, client):
    other = type(client)(lonely_bridge.port)
    await client.ask("hello", "pd")
    await other.ask("hello", "max")
    for number in range(20):
        client.send("ping", f"a{number}")
        other.send("ping", f"b{number}")
    await client.wait("ok", "a19")
    await other.wait("ok", "b19")
    assert [m.values[0] for m in client.received] == [f"a{n}" for n in range(20)]
    assert [m.values[0] for m in other.received] == [f"b{n}" for n in range(20)]
    other.close()


async def test_a_sender_without_a_fixed_port_names_its_client(lonely_bridge, client):
    await client.ask("hello", "term")
    passing = type(client)(lonely_bridge.port)
    passing.send("ping", "p1", "@client", "term")
    await client.wait("ok", "p1")
    assert (await passing.ask("ping", "p2", "@client", "nobody")).values[3] == "no client 'nobody' has said hello."
    passing.close()


@pytest.mark.parametrize("port", [-1, 65536])
async def test_an_impossible_reply_port_is_refused(client, port):
    assert (await client.ask("hello", "pd", port)).address == f"{PREFIX}/error"


async def test_the_bridges_own_port_is_no_reply_port(lonely_bridge, client):
    assert "not a port" in (await client.ask("hello", "pd", lonely_bridge.port)).values[3]


@pytest.mark.parametrize(("address", "values", "code", "message"), [
    ("render/fuze", ("r",), "unknown_address", "did you mean '/athanor/v1/render/fuse'"),
    ("render/*", ("r",), "unknown_address", "there is no address"),
    ("render/fuse", ("r",), "invalid_input", "needs the input 'original'"),
    ("render/fuse", ("r", "a", "b", "c"), "invalid_params", "takes request [original] [reference]; 4 arguments"),
    ("render/fuse", ("r", "original.wav", "reference.wav", "@promt", "x"), "invalid_params", "did you mean 'prompt'?"),
    ("render/fuse", ("r", "orginal.wav", "reference.wav"), "invalid_input", "did you mean 'original.wav'?"),
    ("render/fuse", ("r", "../secret.wav", "reference.wav"), "invalid_input", "'..' is not allowed"),
    ("render/fuse", ("r", "/etc/passwd", "reference.wav"), "invalid_input", "absolute path"),
    ("render/fuse", ("r", "original.wav", "reference.wav", "@chain", "spase"), "invalid_params", "did you mean 'space'?"),
    ("render/fuse", ("r", "original.wav", "reference.wav", "@chain", "/tmp/x.toml"), "invalid_params", "not a path"),
    ("render/fuse", ("r", "original.wav", "reference.wav", "@preset", "space"), "invalid_params", "kind 'chain'"),
    ("render/fuse", ("r", "original.wav", "reference.wav", "@start", 3e7), "invalid_params", "send it as a text"),
    ("render/fuse", ("r", "original.wav", "reference.wav", "@start", 1, "@start_s", 1), "invalid_params", "one of them"),
    ("render/fuse", ("r", "original.wav", "reference.wav", "@steps", 1.5), "invalid_params", "steps=1.5"),
    ("render/fuse", ("r", "original.wav", "reference.wav", "@solver", "odd"), "invalid_params", "solver='odd'"),
    ("render/fuse", ("", "original.wav", "reference.wav"), "invalid_params", "a request id is 1 to 64"),
    ("render/learn", ("r", "original.wav", "@prompt", "x", "@name", "../x"), "invalid_params", "palette name"),
    ("job/cancel", ("r", "nothing"), "unknown_job", "is called 'nothing'"),
    ("job/status", ("r", "nothing"), "unknown_job", "is called 'nothing'"),
    ("job/ack", ("r", "nothing"), "unknown_job", "is called 'nothing'"),
])
async def test_what_can_not_be_done_is_answered_with_the_reason(client, address, values, code, message):
    answer = await client.ask(address, *values)
    assert answer.address == f"{PREFIX}/error"
    assert answer.values[2] == code
    assert message in answer.values[3]


BAD_CLIPS = {
    "empty.wav": (b"", "is empty"),
    "text.wav": (b"these are words, not sound" * 9, "not a sound file"),
    "folder": (None, "is a folder"),
}


@pytest.mark.parametrize("name", BAD_CLIPS)
async def test_a_file_that_is_no_clip_is_refused_by_name(client, root, name):
    content, message = BAD_CLIPS[name]
    if content is None:
        (root / name).mkdir()
    else:
        (root / name).write_bytes(content)
    answer = await client.ask("render/fuse", "r", name, "reference.wav")
    assert answer.values[2] == "invalid_input"
    assert name in answer.values[3]
    assert message in answer.values[3]


async def test_eight_channels_and_too_long_clips_are_refused_from_their_headers(client, root):
    soundfile.write(root / "eight.wav", np.zeros((100, 8)), 48000)
    soundfile.write(root / "long.flac", np.zeros((4000 * 601, 1)), 4000)
    assert "8 channels" in (await client.ask("render/fuse", "r1", "eight.wav", "reference.wav")).values[3]
    assert "601.0 s long" in (await client.ask("render/fuse", "r2", "long.flac", "reference.wav")).values[3]


async def test_a_prompt_of_10000_characters_is_refused_and_a_long_datagram_is_read(client):
    answer = await client.ask("ping", "p")
    datagram = b"".join(_padded(text) for text in (
        f"{PREFIX}/render/fuse", ",sssss", "long", "original.wav", "reference.wav", "@prompt", "x" * 10_000))
    client.send_bytes(datagram)
    answer = await client.wait("error", "long")
    assert "2000" in answer.values[3]
    assert "10000 characters" in answer.values[3]


def _padded(text: str) -> bytes:
    data = text.encode()
    return data + b"\0" * (4 - len(data) % 4)


async def test_a_blob_where_a_text_belongs_is_refused(client):
    client.send_bytes(_padded(f"{PREFIX}/render/fuse") + _padded(",sb") + _padded("r") + struct.pack(">i", 4) + b"abcd")
    assert "neither a text nor a number" in (await client.wait("error", "r")).values[3]


async def test_nothing_that_arrives_stops_it(client):
    rng = random.Random(7)
    good = encode(f"{PREFIX}/render/fuse", "req1", "missing.wav", "b.wav", "@steps", 7)
    for _ in range(300):
        datagram = bytearray(rng.choice([good, b"#bundle\0" + rng.randbytes(24), rng.randbytes(40)]))
        for _ in range(rng.randrange(5)):
            datagram[rng.randrange(len(datagram))] = rng.randrange(256)
        client.send_bytes(bytes(datagram))
        if rng.random() < 0.05:  # keep within the receive buffer
            await client.ask("ping", f"p{rng.random()}")
    assert is_ok(await client.ask("ping", "alive"))


async def test_its_own_words_are_never_answered(client):
    for address in ("ok", "error", "done", "progress", "failed", "cancelled", "job"):
        client.send(address, "r", "x")
    assert is_ok(await client.ask("ping", "last"))
    assert not client.received


async def test_a_burst_is_answered_in_order_or_refused(client):
    for number in range(200):
        client.send("ping", f"p{number}")
    assert is_ok(await client.wait("ok", "p199"))
    assert [m.values[0] for m in client.received] == [f"p{n}" for n in range(200)]


async def test_a_bundle_is_answered_message_by_message(client):
    pings = [encode(f"{PREFIX}/ping", f"p{n}") for n in range(3)]
    far_future = b"\xff" * 8
    client.send_bytes(b"#bundle\0" + far_future + b"".join(struct.pack(">i", len(p)) + p for p in pings))
    await client.wait("ok", "p2")
    assert [m.values[0] for m in client.received] == ["p0", "p1", "p2"]


async def test_a_port_in_use_is_a_clear_error(lonely_bridge, root, tmp_path):
    with pytest.raises(StorageError, match=f"UDP port {lonely_bridge.port} .* --port") as raised:
        Transports(root, tmp_path, port=lonely_bridge.port)
    assert raised.value.code == "port_in_use"


async def test_a_request_whose_server_is_away_fails_with_the_cause_and_is_told_until_acknowledged(client):
    job_id = (await client.ask("render/fuse", "r1", "original.wav", "reference.wav")).values[2]
    failed = await client.wait("failed", "r1")
    assert failed.values[1:3] == (job_id, "not_here")
    again = await client.wait("failed", "r1", count=2)
    assert again == failed
    assert (await client.ask("job/status", "s1", "r1")).values[5] == "failed"
    assert is_ok(await client.ask("job/ack", "a1", "r1"))
    assert (await client.ask("job/list", "l1")).values[2] == 1
    line = await client.wait("job", "l1")
    assert line.values[1:7] == (1, 1, job_id, "r1", "fuse", "failed")
    assert (await client.ask("job/cancel", "c1", job_id)).values[2] == job_id


async def test_a_repeated_request_gets_the_same_answer_and_another_one_a_conflict(client):
    first = await client.ask("render/fuse", "r1", "original.wav", "reference.wav", "@seed", 5)
    assert await client.ask("render/fuse", "r1", "original.wav", "reference.wav", "@seed", 5) == first
    conflict = await client.ask("render/fuse", "r1", "original.wav", "reference.wav", "@seed", 6)
    assert conflict.values[2] == "conflict"
    await client.wait("failed", "r1")
    await client.ask("job/ack", "a1", "r1")
    fresh = await client.ask("render/fuse", "r1", "original.wav", "reference.wav", "@seed", 5)
    assert is_ok(fresh)
    assert fresh.values[2] != first.values[2]


async def test_an_end_that_was_not_acknowledged_is_told_again_after_hello(lonely_bridge, client):
    await client.ask("hello", "pd")
    await client.ask("render/fuse", "r1", "original.wav", "reference.wav")
    await client.wait("failed", "r1")
    reopened = type(client)(lonely_bridge.port)
    await reopened.ask("hello", "pd")
    await reopened.wait("failed", "r1")
    reopened.close()
