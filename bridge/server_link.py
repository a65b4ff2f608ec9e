# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to the server: connect, and start one where there is none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from bridge.home import home_folder
from server.errors import ServerUnreachable

if TYPE_CHECKING:
    from server.client import AsyncClient

_LOOK_S = 3.0


def is_paired() -> bool:
    """Whether this machine renders on another one's server."""
    from server.pairing import kept

    return kept(home_folder()) is not None


async def is_running() -> bool:
    """Whether a server answers."""
    from server.client import AsyncClient

    try:
        await (await AsyncClient.connect(home_folder(), patience_s=_LOOK_S)).close()
    except ServerUnreachable:
        return False
    return True


def connector(say: Callable[[str], None]) -> Callable[[], Awaitable[AsyncClient]]:
    """A function that gives a connected client; `say` tells the person when a server had to be started."""

    async def connect() -> AsyncClient:
        from server.client import AsyncClient

        if not is_paired() and not await is_running():
            say("no server is running; starting one. It stays warm: `athanor stop` ends it.")
        return await AsyncClient.connect(home_folder(), start=True)

    return connect
