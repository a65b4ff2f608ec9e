# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import stat
from pathlib import Path

import pytest
import zmq.asyncio

from server.auth import CLIENTS, WORKERS, Connection, Doorkeeper, KeyPair, check_bind
from server.errors import InvalidOption, ServerUnreachable
from server.telemetry import Counters

CONNECTION = Connection("i", 1, "tcp://127.0.0.1:1", "tcp://127.0.0.1:2", "s" * 40, "p" * 40, "c" * 40)


def test_the_connection_file_comes_back_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "connection.json"
    CONNECTION.write(path)
    assert Connection.read(path) == CONNECTION
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"instance": 1, "more": 2}'])
def test_a_file_that_is_none_is_an_unreachable_server(tmp_path: Path, content: str) -> None:
    path = tmp_path / "connection.json"
    with pytest.raises(ServerUnreachable, match="no server is running"):
        Connection.read(path)
    path.write_text(content)
    with pytest.raises(ServerUnreachable, match="cannot be read"):
        Connection.read(path)


def test_only_loopback_needs_no_list(tmp_path: Path) -> None:
    for address in ("127.0.0.1", "::1"):
        assert check_bind(address, False, tmp_path) is False
    assert check_bind("0.0.0.0", True, tmp_path) is True
    for address in ("0.0.0.0", "192.168.1.2", "::", "localhost"):
        with pytest.raises(InvalidOption):
            check_bind(address, False, tmp_path)


def test_a_key_is_good_for_one_domain(tmp_path: Path) -> None:
    context = zmq.asyncio.Context()
    counters = Counters()
    door, key = Doorkeeper(context, counters), KeyPair.new().public
    door.allow(WORKERS, key)
    assert door.callback(WORKERS, key.encode())
    assert not door.callback(CLIENTS, key.encode())
    assert not door.callback("elsewhere", key.encode())
    door.disallow(WORKERS, key)
    assert not door.callback(WORKERS, key.encode())
    assert counters.snapshot() == {"keys_refused": 3}
    context.destroy()
