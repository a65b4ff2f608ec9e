# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes that are no message: the parser names them, the server counts them, and valid clients never notice."""

from __future__ import annotations

import asyncio
import random
import secrets
import socket

import zmq
import zmq.asyncio
from harness import Server, debug_job, ended

from server import protocol
from server.auth import Connection, KeyPair, present
from server.protocol import Malformed, encode_request, parse, parse_reply

GOLDEN = [
    encode_request(bytes(16), "job.submit", protocol.Submit(job=debug_job(job_id="0" * 32, steps=3))),
    encode_request(bytes(16), "blob.put", protocol.BlobPut(digest="a" * 64, offset=0, total=4), b"abcd"),
    encode_request(bytes(16), "job.list", protocol.ListJobs(origin="x", before=3)),
    encode_request(bytes(16), "palette.import", protocol.PaletteImport(name="bells", digest="b" * 64)),
    encode_request(bytes(16), "hello", protocol.Hello(client="test")),
]
NASTY = [
    b"", b"{", b"null", b"[]", b"{}", b'{"type":NaN}', b'{"type":"hello","minor":1e999}',
    b'{"type":"hello","minor":-Infinity}',
    b"[" * 60000, b'{"a":' * 9000, b'{"type":"job.status","job_id":"\\ud800"}', b"\xff\xfe",
    b'{"type":"' + b"x" * 65536 + b'"}',
    b'{"type":"hello","minor":' + b"9" * 5000 + b"}", b'{"type":{}}', b'{"type":"job.list","limit":true}',
    b'{"type":"hello","unknown":1}', b'{"type":"job.submit","job":{"job_id":"../../etc/passwd","kind":"debug"}}',
]


def mutated(rng: random.Random) -> list[bytes]:
    """A golden message with something done to it, or plain noise."""
    choice = rng.random()
    if choice < 0.3:
        return [rng.randbytes(rng.randrange(60)) for _ in range(rng.randrange(11))]
    frames = list(rng.choice(GOLDEN))
    if choice < 0.4:
        frames[0] = b"ATH" + bytes([rng.randrange(256)])
    elif choice < 0.5:
        frames[2] = rng.choice(NASTY)
    elif choice < 0.6:
        frames = frames[: rng.randrange(len(frames) + 1)]
    elif choice < 0.7:
        frames.insert(rng.randrange(len(frames) + 1), rng.randbytes(8))
    else:
        which = rng.randrange(len(frames))
        changed = bytearray(frames[which])
        for _ in range(rng.randrange(1, 4)):
            if changed:
                changed[rng.randrange(len(changed))] = rng.randrange(256)
        frames[which] = bytes(changed[: rng.randrange(len(changed) + 1)] if rng.random() < 0.3 else changed)
    return frames


def test_the_parser_raises_nothing_but_malformed_on_100000_messages() -> None:
    rng = random.Random(1)
    accepted = refused = 0
    for _ in range(100_000):
        frames = mutated(rng)
        try:
            parse(frames)
            accepted += 1
        except Malformed:
            refused += 1
        try:
            parse_reply(frames)
        except Malformed:
            pass
    assert accepted > 1000 and refused > 50_000, "the fuzz must reach both outcomes"


async def test_the_server_serves_on_while_being_fuzzed(serve, context) -> None:
    server: Server = await serve()
    client = await server.client()
    connection = Connection.read(server.paths.connection)
    noisy = context.socket(zmq.DEALER)
    noisy.linger = 0
    present(noisy, KeyPair(connection.client_public, connection.client_secret), connection.server_key)
    noisy.connect(connection.requests)
    rng = random.Random(2)
    for batch in range(20):
        for _ in range(150):
            await noisy.send_multipart(mutated(rng) or [b""])
        job = await server.submit(client, steps=1, seconds=0.01)
        assert (await ended(client, job.job_id)).state == "succeeded", batch
    counters = (await client.stats())["counters"]
    assert sum(count for name, count in counters.items() if name.startswith("protocol_")) > 2000
    assert "internal_errors" not in counters
    noisy.close()


async def test_an_unknown_major_is_refused_in_the_frozen_form(serve, context) -> None:
    server: Server = await serve()
    connection = Connection.read(server.paths.connection)
    stranger = context.socket(zmq.DEALER)
    stranger.linger = 0
    present(stranger, KeyPair(connection.client_public, connection.client_secret), connection.server_key)
    stranger.connect(connection.requests)
    request_id = secrets.token_bytes(16)
    await stranger.send_multipart([b"ATH\x09", request_id, b"whatever version 9 says"])
    frames = await asyncio.wait_for(stranger.recv_multipart(), 10)
    assert frames[1] == request_id
    _, ok, fields, _ = parse_reply(frames)
    assert not ok
    assert (fields["error"]["code"], fields["error"]["supported"]) == ("unsupported_version", [1])
    stranger.close()


async def test_noise_on_the_bare_port_reaches_nothing(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    port = int(Connection.read(server.paths.connection).requests.rsplit(":", 1)[1])
    rng = random.Random(3)
    for number in range(60):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\n\r\n" if number % 3 == 0 else rng.randbytes(4096))
    counters = (await client.stats())["counters"]
    assert not [name for name in counters if name.startswith("protocol_")]
