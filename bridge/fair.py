# SPDX-License-Identifier: GPL-3.0-or-later
"""Slots for requests that run at the same time, shared fairly: whoever comes second does not wait for a burst to end.

The server gives turns by client, but sees only what was submitted; this decides what is.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FairSlots:
    """Hands out `total` slots. Use it in one event loop.

    A client holds at most half of what the others leave, and at least one slot when one is free, so that a newcomer finds
    some free; a slot that becomes free goes to the waiting client that holds the fewest.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def slot(self, client: str) -> AsyncIterator[None]:
        """Hold a slot of a client's, once it has its turn."""
        await self._take(client)
        try:
            yield
        finally:
            self._held[client] -= 1
            self._held += Counter()  # forgets who holds none
            self._grant()

    async def _take(self, client: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        self._grant()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it had just been given
                self._held[client] -= 1
                self._grant()
            else:
                self._forget(client, turn)
            raise

    def _grant(self) -> None:
        while able := [client for client in self._waiting if self._may_hold_more(client)]:
            client = min(able, key=lambda name: self._held[name])  # the first of equals has waited longest
            turn = self._waiting[client].popleft()
            rest = self._waiting.pop(client)
            if rest:
                self._waiting[client] = rest  # now the last in line
            if not turn.cancelled():  # whose waiter has been cancelled, and has not come round to saying so
                self._held[client] += 1
                turn.set_result(None)

    def _may_hold_more(self, client: str) -> bool:
        used = self._held.total()
        left_by_others = self._total - (used - self._held[client])
        return used < self._total and self._held[client] < max(1, left_by_others // 2)

    def _forget(self, client: str, turn: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(client)
        if waiting and turn in waiting:
            waiting.remove(turn)
            if not waiting:
                del self._waiting[client]
