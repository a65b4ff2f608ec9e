# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import zmq.asyncio

from server import allowed_keys, pairing
from server.auth import Doorkeeper, KeyPair
from server.errors import InvalidOption, RequestRefused, ServerUnreachable, StorageError
from server.lan import Lan, addresses, remembered
from server.telemetry import Counters

BIND = "127.0.0.1"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[tuple]:
    """What a server offers a code with: context, doorkeeper, machines, its place and where it is bound."""
    context = zmq.asyncio.Context()
    machines = pairing.machines(tmp_path)
    (tmp_path / "server").mkdir()
    doorkeeper = Doorkeeper(context, Counters(), machines)
    doorkeeper.start()
    yield context, doorkeeper, machines, Lan(KeyPair.new(), _free_ports()), BIND
    doorkeeper.stop()
    context.destroy(linger=0)


def _free_ports() -> int:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        return socket.bind_to_random_port(f"tcp://{BIND}", max_port=60000) - 2


async def test_who_knows_the_code_gets_in_once_and_its_key_stays(door, tmp_path: Path) -> None:
    machines, lan = door[2], door[3]
    code = pairing.new_code()
    offered = asyncio.create_task(pairing.offer(*door, code))
    connection = await pairing.ask(f"localhost:{lan.port}", code.lower().replace("-", " "), "studio laptop")
    assert await offered == "studio laptop"
    assert machines.names() == {connection.client_public: "studio laptop"}
    assert connection.server_key == lan.keys.public
    assert (connection.requests, connection.events) == (f"tcp://127.0.0.1:{lan.port}", f"tcp://127.0.0.1:{lan.port + 1}")

    assert pairing.kept(tmp_path) is None
    pairing.keep(tmp_path, connection)
    assert pairing.kept(tmp_path) == connection
    pairing.forget(tmp_path)
    assert pairing.kept(tmp_path) is None


async def test_another_code_is_answered_by_nobody(door, monkeypatch) -> None:
    monkeypatch.setattr(pairing, "_PATIENCE_S", 0.7)
    code, place = pairing.new_code(), f"{BIND}:{door[3].port}"
    offered = asyncio.create_task(pairing.offer(*door, code))
    with pytest.raises(ServerUnreachable, match="nobody at 127.0.0.1 answers to this code"):
        await pairing.ask(place, pairing.new_code(), "stranger")
    assert door[2].names() == {}
    await pairing.ask(place, code, "laptop")
    await offered
    with pytest.raises(ServerUnreachable):  # a code is good once
        await pairing.ask(place, code, "second")
    assert list(door[2].names().values()) == ["laptop"]


async def test_a_key_that_cannot_be_kept_is_told_and_the_code_stays_good(door, monkeypatch) -> None:
    code, place = pairing.new_code(), f"{BIND}:{door[3].port}"
    offered = asyncio.create_task(pairing.offer(*door, code))
    with monkeypatch.context() as full:
        full.setattr(allowed_keys, "write_private", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(StorageError, match="No space left"):
            await pairing.ask(place, code, "laptop")
    await pairing.ask(place, code, "laptop")
    assert await offered == "laptop"


async def test_a_code_expires(door, monkeypatch) -> None:
    monkeypatch.setattr(pairing, "CODE_GOOD_S", 0.05)
    assert await pairing.offer(*door, pairing.new_code()) is None


async def test_a_port_in_use_is_told(door) -> None:
    with door[0].socket(zmq.ROUTER) as other:
        other.bind(f"tcp://{BIND}:{door[3].pairing_port}")
        with pytest.raises(RequestRefused, match="pairing port"):
            await pairing.offer(*door, pairing.new_code())


async def test_a_name_that_the_file_cannot_hold_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(InvalidOption, match="no name for a machine"):
        await pairing.ask(f"{BIND}:9", pairing.new_code(), "two\nlines")


@pytest.mark.parametrize(("host", "text"), [("nowhere.invalid", "no machine"), ("127.0.0.1:x", "'x' is no port"),
                                            ("127.0.0.1:99999", "no port")])
async def test_a_host_that_is_none_is_told(host: str, text: str) -> None:
    with pytest.raises(InvalidOption, match=text):
        await pairing.ask(host, pairing.new_code(), "laptop")


def test_a_code_reads_as_it_was_written_and_makes_the_same_keys_at_both_ends() -> None:
    code = pairing.new_code()
    assert len(code) == 19 and code.count("-") == 3
    assert pairing.read_code(f" {code.lower()} ") == code.replace("-", "")
    assert pairing.read_code("OIL0-1111-2222-3333") == "0110111122223333"
    assert pairing.keys_of(code, "server") == pairing.keys_of(code.lower(), "server") != pairing.keys_of(code, "client")
    for wrong in ("", "1234", code + "0", "UUUU-0000-0000-0000"):
        with pytest.raises(InvalidOption, match="no pairing code"):
            pairing.read_code(wrong)


def test_key_and_port_are_the_same_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "lan.json"
    first = remembered(path, 0)
    assert first.port == 9103
    assert remembered(path, 9200) == Lan(first.keys, 9200) == remembered(path, 0)
    assert path.stat().st_mode & 0o777 == 0o600
    assert addresses("127.0.0.1") == ["127.0.0.1"]
    assert not any(address.startswith("127.") for address in addresses("0.0.0.0"))
