# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server.client import Client
from server.errors import ServerUnreachable
from server.launch import ensure_server, is_running

QUICK = ["--set", "warm=false"]


def test_many_may_start_one_server_at_once_and_it_outlives_them(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    assert not is_running(home)
    with ThreadPoolExecutor(4) as pool:
        started = list(pool.map(lambda _: ensure_server(home, arguments=QUICK), range(4)))
    assert started.count(True) == 1
    assert is_running(home)
    assert ensure_server(home) is False
    with Client(home, start=True) as client:
        client.shutdown()
    assert not is_running(home)
    assert (home / "server" / "log").read_text()


def test_a_server_that_cannot_start_is_explained_by_its_log(tmp_path: Path) -> None:
    with pytest.raises(ServerUnreachable, match="no setting 'nonsense'"):
        ensure_server(tmp_path, arguments=["--set", "nonsense=1"])
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ServerUnreachable, match="could be started on"):
        ensure_server(tmp_path / "file" / "home")
