# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to the server: connect, and start one where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from server.client import AsyncClient, ensure_server

from bridge.home import home_folder


def connector(say: Callable[[str], None]) -> Callable[[], Awaitable[AsyncClient]]:
    """A function that gives a connected client; `say` tells the person when a server had to be started."""

    async def connect() -> AsyncClient:
        home = home_folder()
        if await asyncio.to_thread(ensure_server, home):
            say("no server was running: started one. It stays warm; `athanor stop` ends it.")
        return await AsyncClient.connect(home)

    return connect
