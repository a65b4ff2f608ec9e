# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection file: private, whole, and the same port and token after a restart."""

import socket
import stat
import sys

import pytest

from bridge.connection import connection_path, load, save
from bridge.transports import Transports
from server.errors import StorageError


async def closed(transports):
    """A bridge's connection; it never began, so only its sockets are closed."""
    await transports.close()
    return transports.connection


async def test_port_and_token_survive_a_restart(root, tmp_path):
    first = await closed(Transports(root, tmp_path, http_port=0))
    save(tmp_path, first)
    assert load(tmp_path) == first
    again = await closed(Transports(root, tmp_path))
    assert (again.http_port, again.token) == (first.http_port, first.token)
    other = await closed(Transports(root, tmp_path / "other", http_port=0))
    assert other.token != first.token


async def test_a_port_that_somebody_took_meanwhile_is_replaced_unless_it_was_asked_for(root, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        last = await closed(Transports(root, tmp_path, http_port=0))
        save(tmp_path, last.model_copy(update={"http_port": port}))
        assert (await closed(Transports(root, tmp_path))).http_port != port
        with pytest.raises(StorageError, match=f"TCP port {port} .* --http-port"):
            Transports(root, tmp_path, http_port=port)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
async def test_only_the_owner_reads_the_file(lonely_bridge, tmp_path):
    path = connection_path(tmp_path / "home")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load(tmp_path / "home") == lonely_bridge.connection


@pytest.mark.parametrize("text", ["", "{}", "words", '{"osc_port": 1, "http_port": 2, "token": "short", "root": "/"}'])
def test_a_file_that_says_nothing_is_as_none(tmp_path, text):
    path = connection_path(tmp_path)
    path.parent.mkdir()
    path.write_text(text)
    assert load(tmp_path) is None
