# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the failure tests: servers that are stopped and checked after every test."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import zmq.asyncio

sys.path.insert(0, str(Path(__file__).parent))
from harness import Server  # noqa: E402


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Server]]]:
    """Start a server with these settings; all that were started are stopped and checked at the end."""
    servers: list[Server] = []

    async def start(*arguments: str, **settings: str) -> Server:
        home = tmp_path / f"{len(servers)}" / "home"
        home.mkdir(parents=True)
        server = Server(home, **settings)
        servers.append(server)
        await server.start(*arguments)
        return server

    yield start
    for server in servers:
        await server.close()


@pytest.fixture
def context() -> Iterator[zmq.asyncio.Context]:
    """A ZeroMQ context for bare sockets; whatever a test leaves open in it is closed."""
    context = zmq.asyncio.Context()
    yield context
    context.destroy(linger=0)
