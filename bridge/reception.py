# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of every transport's requests to the desk: in the order in which each source sent them, each answered once.

Addresses are matched as they are written, never as patterns: these messages act. Nothing that arrives can stop it.
"""

from __future__ import annotations

import logging
from collections import deque
from pathlib import Path

from bridge.arguments import parse, request_id_of
from bridge.clients import Clients
from bridge.desk import MOST_REQUEST_ID, Desk, MakeSession
from bridge.journal import Journal
from bridge.outlets import Address, Outlet, Outlets
from bridge.packets import Message
from bridge.routes import ERROR, EVENTS, HELLO, OK, find_route
from bridge.stages import described
from server.errors import AthanorError, RequestRefused

_log = logging.getLogger("athanor.bridge")
_WAITING_PER_SOURCE = 256
_SOURCES = 256
_OWN_ADDRESSES = frozenset(event.address for event in EVENTS)


class Reception:
    """Hands requests to the desk and answers to where they belong. Use it in one event loop.

    Args:
        journal, make_session, root, home: as for `Desk`.
        own_port: the bridge's UDP port, which is no client's.
    """

    def __init__(self, journal: Journal, own_port: int, make_session: MakeSession, root: Path, home: Path) -> None:
        self.clients, self.outlets = Clients(journal, own_port), Outlets()
        self.desk = Desk(journal, self.clients, self._tell, make_session, root, home)
        self._queues: dict[Address, deque[Message]] = {}

    def take(self, message: Message, source: Address) -> None:
        """Answer after what the same source sent before; at once and with an error where too much waits."""
        # Our own words, come back by a wrong port, must not be answered: that would never end.
        if message.address in _OWN_ADDRESSES:
            return
        queue = self._queues.get(source)
        if queue is None and len(self._queues) < _SOURCES:
            queue = self._queues[source] = deque([message])
            self.desk.spawn(self._serve(source, queue))
        elif queue is None or len(queue) >= _WAITING_PER_SOURCE:
            refused = RequestRefused("too many messages are waiting; send more slowly.", code="too_many")
            self.outlets.tell(source, _error(message, refused))
        else:
            queue.append(message)

    async def answer(self, message: Message, source: Address, outlet: Outlet | None = None) -> None:
        """Do what a request asks and answer it, once.

        outlet: where the answer goes, with what belongs to it; None: to where the client's messages go.
        """
        if outlet is None and message.address in _OWN_ADDRESSES:
            return
        # Before it is read it can only be known by where it comes from; who hears on another port would miss an error.
        reply_to = source if message.address == HELLO.address else self.clients.address(self.clients.name(source))
        try:
            route = find_route(message.address)
            call = parse(route, message)
            client = self.clients.name(source, call.client)
            reply_to = self.clients.address(client)
            reply = await getattr(self.desk, route.handler)(call, client, source)
            reply_to = self.clients.address(call.request_id if route.handler == "hello" else client)
            (outlet or self.outlets.outlet(reply_to)).send(Message(OK, (call.request_id, message.address, *reply)))
            self.desk.follow(call, client, outlet)
        except AthanorError as error:
            self._refuse(message, error, reply_to, outlet)
        except Exception as error:  # a fault of ours ends this request only
            _log.error("%s: %s", message.address, error, exc_info=error)
            self._refuse(message, described(error), reply_to, outlet)

    async def _serve(self, source: Address, queue: deque[Message]) -> None:
        try:
            while queue:
                await self.answer(queue.popleft(), source)
        finally:
            del self._queues[source]

    def _refuse(self, message: Message, error: AthanorError, reply_to: Address, outlet: Outlet | None) -> None:
        if outlet is not None:
            outlet.send(_error(message, error))
        else:
            self.outlets.tell(reply_to, _error(message, error))

    def _tell(self, client: str, message: Message) -> None:
        self.outlets.tell(self.clients.address(client), message)


def _error(message: Message, error: AthanorError) -> Message:
    request = request_id_of(message)[:MOST_REQUEST_ID]
    return Message(ERROR, (request, message.address[:200], error.code, error.message))
