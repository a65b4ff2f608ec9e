# SPDX-License-Identifier: GPL-3.0-or-later
"""The transports open one after the other; what arrives meanwhile is done once."""

import asyncio
import socket

from bridge.http.server import HttpServer
from bridge.journal import Journal
from bridge.packets import encode
from bridge.routes import PREFIX
from bridge.session import Session
from bridge.transports import Transports
from server.errors import ServerUnreachable


async def test_what_is_asked_while_a_bridge_starts_runs_once_and_keeps_its_selection(tmp_path, root, monkeypatch):
    ran = []

    class Counted(Session):
        async def run(self, job_id):
            ran.append(job_id)
            return await super().run(job_id)

    async def no_server():
        raise ServerUnreachable("no server in this test.", code="not_here")

    async def slowly(self, reception, start=HttpServer.start):
        async with asyncio.timeout(60):
            while not journal.recent(1):
                await asyncio.sleep(0.01)
        await start(self, reception)

    monkeypatch.setattr(HttpServer, "start", slowly)
    journal = Journal(tmp_path / "journal.db")
    bridge = Transports(root, tmp_path / "home", http_port=0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:  # its messages wait in the port that is held already
        host.bind(("127.0.0.1", 0))
        host.sendto(encode(f"{PREFIX}/clip/add", "c1", "original.wav"), ("127.0.0.1", bridge.port))
        host.sendto(encode(f"{PREFIX}/render/debug", "r1"), ("127.0.0.1", bridge.port))
        await bridge.start(journal, lambda on_progress: Counted(journal, no_server, tmp_path / "work", on_progress))
        client = "{}:{}".format(*host.getsockname())
    async with asyncio.timeout(60):
        while not journal.recent(1)[0].stage.is_terminal:
            await asyncio.sleep(0.01)
    await bridge.close()
    assert ran == [journal.recent(1)[0].job_id]
    assert len(journal.selection(client)) == 1
    journal.close()
