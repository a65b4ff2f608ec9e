# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import stat
from pathlib import Path

import pytest
import zmq.asyncio

from server.auth import CLIENTS, WORKERS, Connection, Doorkeeper, KeyPair, check_bind, read_allowed_keys
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


def test_keys_are_read_by_line_and_comments_are_not(tmp_path: Path) -> None:
    path, keys = tmp_path / "allowed_keys", [KeyPair.new().public for _ in range(20)]  # Z85 has # in its alphabet
    assert read_allowed_keys(path) == set()
    path.write_text("# studio\n\n" + "\n".join(f"{key} # number {n}" for n, key in enumerate(keys)))
    assert read_allowed_keys(path) == set(keys)
    path.write_text("too short")
    with pytest.raises(InvalidOption, match="line 1: a public key has 40 characters"):
        read_allowed_keys(path)


def test_only_loopback_needs_no_list(tmp_path: Path) -> None:
    for address in ("127.0.0.1", "::1"):
        check_bind(address, set(), tmp_path)
    check_bind("0.0.0.0", {"k" * 40}, tmp_path)
    for address in ("0.0.0.0", "192.168.1.2", "::", "localhost"):
        with pytest.raises(InvalidOption):
            check_bind(address, set(), tmp_path)


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
