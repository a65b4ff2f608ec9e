# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets in: a listed key; nobody else, and nobody at all when the authenticator does not run."""

from __future__ import annotations

import secrets
import stat
import subprocess
import sys
from dataclasses import replace

import pytest
import zmq
import zmq.asyncio
from harness import ROOT, Server

from server import pairing, protocol
from server.auth import CLIENTS, Connection, Doorkeeper, KeyPair, guard, present
from server.client import AsyncClient
from server.errors import RequestRefused
from server.telemetry import Counters

ANSWER_MS = 5000  # for what must arrive
SILENCE_MS = 700  # for what must not


async def is_answered(
    context: zmq.asyncio.Context, endpoint: str, keys: KeyPair | None, server_key: str, wait_ms: int
) -> bool:
    """Whether a hello with these keys gets an answer."""
    dealer = context.socket(zmq.DEALER)
    dealer.linger = 0
    if keys is not None:
        present(dealer, keys, server_key)
    dealer.connect(endpoint)
    await dealer.send_multipart(protocol.encode_request(secrets.token_bytes(16), "hello", protocol.Hello()))
    answered = bool(await dealer.poll(wait_ms))
    dealer.close()
    return answered


async def test_only_listed_keys_get_in(serve, context) -> None:
    server: Server = await serve()
    connection = Connection.read(server.paths.connection)
    listed = KeyPair(connection.client_public, connection.client_secret)

    async def gets_in(keys: KeyPair | None, wait_ms: int, server_key: str = connection.server_key) -> bool:
        return await is_answered(context, connection.requests, keys, server_key, wait_ms)

    assert await gets_in(listed, ANSWER_MS)
    assert not await gets_in(None, SILENCE_MS), "no CURVE"
    assert not await gets_in(KeyPair.new(), SILENCE_MS), "a stranger's key"
    assert not await gets_in(KeyPair(listed.public, KeyPair.new().secret), SILENCE_MS), "a listed key without its secret"
    assert not await gets_in(listed, SILENCE_MS, KeyPair.new().public), "another server than the client expects"
    assert await gets_in(listed, ANSWER_MS)


async def test_a_stranger_hears_no_events(serve, context) -> None:
    server: Server = await serve()
    connection = Connection.read(server.paths.connection)
    heard = {}
    listed = KeyPair(connection.client_public, connection.client_secret)
    for name, keys in (("listed", listed), ("stranger", KeyPair.new())):
        subscriber = context.socket(zmq.SUB)
        subscriber.linger = 0
        present(subscriber, keys, connection.server_key)
        subscriber.subscribe(protocol.WELCOME)
        subscriber.connect(connection.events)
        heard[name] = bool(await subscriber.poll(ANSWER_MS if name == "listed" else SILENCE_MS))
        subscriber.close()
    assert heard == {"listed": True, "stranger": False}


async def test_nobody_gets_in_once_the_authenticator_has_stopped(context) -> None:
    doorkeeper, server, listed = Doorkeeper(context, Counters()), KeyPair.new(), KeyPair.new()
    doorkeeper.allow(CLIENTS, listed.public)
    doorkeeper.start()
    router = context.socket(zmq.ROUTER)
    router.linger = 0
    guard(router, server, CLIENTS)
    port = router.bind_to_random_port("tcp://127.0.0.1")

    async def arrives(keys: KeyPair, wait_ms: int) -> bool:
        dealer = context.socket(zmq.DEALER)
        dealer.linger = 0
        present(dealer, keys, server.public)
        dealer.connect(f"tcp://127.0.0.1:{port}")
        await dealer.send(b"let me in")
        arrived = bool(await router.poll(wait_ms))
        if arrived:
            await router.recv_multipart()
        dealer.close()
        return arrived

    assert await arrives(listed, ANSWER_MS)
    assert not await arrives(KeyPair.new(), SILENCE_MS)
    doorkeeper.stop()
    assert not await arrives(listed, SILENCE_MS), "the door must fail closed"
    router.close()


async def test_the_connection_file_is_for_its_owner_alone(serve) -> None:
    server: Server = await serve()
    assert stat.S_IMODE(server.paths.connection.stat().st_mode) == 0o600
    assert stat.S_IMODE(server.paths.server.stat().st_mode) == 0o700


async def test_a_listed_key_of_another_machine_gets_in(serve, context) -> None:
    keys = KeyPair.new()
    server: Server = await serve()
    await server.stop()
    server.paths.allowed_keys.write_text(f"# studio laptop\n{keys.public} # by the window\n")
    await server.start()
    connection = Connection.read(server.paths.connection)
    assert await is_answered(context, connection.requests, keys, connection.server_key, ANSWER_MS)


async def test_a_machine_that_is_revoked_is_out_at_once_though_its_connection_stands(serve, tmp_path) -> None:
    keys = KeyPair.new()
    server: Server = await serve()
    await server.stop()
    pairing.machines(server.home).add("laptop", keys.public)
    with zmq.Context() as context, context.socket(zmq.ROUTER) as free:
        port = free.bind_to_random_port("tcp://127.0.0.1", max_port=60000)
    await server.start("--lan", "--port", str(port))
    own = Connection.read(server.paths.connection)
    assert own.requests == f"tcp://127.0.0.1:{port}"
    pairing.keep(tmp_path / "laptop", replace(own, client_public=keys.public, client_secret=keys.secret))

    async with await AsyncClient.connect(tmp_path / "laptop", start=True) as client:
        assert await client.jobs() == []
        with pytest.raises(RequestRefused, match="on its own machine"):
            await client.shutdown()
        pairing.machines(server.home).remove("laptop")
        with pytest.raises(RequestRefused, match="not paired with the server any more"):
            await client.jobs()
    assert await (await server.client()).jobs() == []
    await server.stop()
    await server.start("--lan")
    assert Connection.read(server.paths.connection).requests == own.requests
    assert Connection.read(server.paths.connection).server_key == own.server_key


@pytest.mark.parametrize(("arguments", "text"), [
    (["--bind", "0.0.0.0"], "lists no client key"),
    (["--bind", "nowhere"], "not an IP address"),
    (["--port", "70000"], "does not exist"),
    (["--set", "drain=3"], "no setting 'drain'"),
    (["--set", "drain_s=soon"], "drain_s='soon'"),
])
def test_the_server_refuses_to_start_open_or_misconfigured(tmp_path, arguments: list[str], text: str) -> None:
    ended = subprocess.run([sys.executable, "-m", "server", "--home", str(tmp_path / "home"), *arguments], cwd=ROOT,
                           capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert text in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "home" / "server" / "connection.json").exists()
