# SPDX-License-Identifier: GPL-3.0-or-later
"""The OSC server: one UDP socket, requests in the order in which each client sent them, each answered exactly once.

Addresses are matched as they are written, never as patterns: these messages act. Nothing that arrives can stop it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from pathlib import Path

from bridge.arguments import parse, request_id_of
from bridge.clients import Address, Clients
from bridge.desk import MOST_REQUEST_ID, Desk, MakeSession
from bridge.journal import Journal
from bridge.packets import Message, decode, encode
from bridge.routes import ERROR, EVENTS, OK, find_route
from bridge.stages import described
from server.errors import AthanorError, ProtocolError, RequestRefused, StorageError

_log = logging.getLogger("athanor.bridge")
_RECEIVE_BUFFER_BYTES = 1 << 20
_WAITING_PER_SOURCE = 256
_SOURCES = 256
_OWN_ADDRESSES = frozenset(event.address for event in EVENTS)


class OscServer(asyncio.DatagramProtocol):
    """Hears and answers. `start` it in the event loop that it shall run in; `port` is where it listens."""

    port: int
    desk: Desk

    async def start(self, host: str, port: int, journal: Journal, make_session: MakeSession, root: Path,
                    home: Path) -> None:
        """Listen, and go on with what a former bridge left. Port 0 is any free one; the rest as for `Desk`.

        Raises:
            StorageError: the port is in use or may not be used.
        """
        sock = _bind(host, port)
        self.port = sock.getsockname()[1]
        self._queues: dict[Address, deque[Message]] = {}
        self._clients = Clients(journal, self.port)
        self.desk = Desk(journal, self._clients, self._send_to, make_session, root, home)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=sock)
        left = self.desk.resume()
        if left:
            _log.info("going on with %d unfinished requests", left)

    async def close(self) -> None:
        """Stop listening; unfinished requests stay in the journal and go on at the next start."""
        self._transport.close()
        await self.desk.close()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, source: Address) -> None:
        try:
            messages = decode(data)
        except ProtocolError as error:
            _log.debug("%s:%s: %s", *source[:2], error.message)
            return
        for message in messages:
            # Our own words, come back by a wrong port, must not be answered: that would never end.
            if message.address not in _OWN_ADDRESSES:
                self._enqueue(message, source[:2])

    def error_received(self, exc: OSError) -> None:
        _log.debug("a client's port is closed: %s", exc)

    def _enqueue(self, message: Message, source: Address) -> None:
        queue = self._queues.get(source)
        if queue is None and len(self._queues) < _SOURCES:
            queue = self._queues[source] = deque([message])
            self.desk.spawn(self._serve(source, queue))
        elif queue is None or len(queue) >= _WAITING_PER_SOURCE:
            self._answer_error(message, source, RequestRefused("too many messages are waiting; send more slowly."))
        else:
            queue.append(message)

    async def _serve(self, source: Address, queue: deque[Message]) -> None:
        try:
            while queue:
                await self._answer(queue.popleft(), source)
        finally:
            del self._queues[source]

    async def _answer(self, message: Message, source: Address) -> None:
        reply_to = source
        try:
            route = find_route(message.address)
            call = parse(route, message)
            client = self._clients.name(source, call.client)
            reply_to = self._clients.address(client)
            reply = await getattr(self.desk, route.handler)(call, client, source)
            reply_to = self._clients.address(call.request_id if route.handler == "hello" else client)
            self._send(encode(OK, call.request_id, message.address, *reply), reply_to)
            self.desk.follow(call, client)
        except AthanorError as error:
            self._answer_error(message, reply_to, error)
        except Exception as error:  # a fault of ours ends this request only
            _log.error("%s: %s", message.address, error, exc_info=error)
            self._answer_error(message, reply_to, described(error))

    def _answer_error(self, message: Message, reply_to: Address, error: AthanorError) -> None:
        self._send(encode(ERROR, request_id_of(message)[:MOST_REQUEST_ID], message.address[:200], error.code,
                          error.message), reply_to)

    def _send_to(self, client: str, datagram: bytes) -> None:
        self._send(datagram, self._clients.address(client))

    def _send(self, datagram: bytes, address: Address) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(datagram, address)


def _bind(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        # A burst from a patch must fit: UDP drops what does not.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise StorageError(f"UDP port {port} of {host} cannot be used: {error.strerror}. Most likely another bridge runs "
                           "already; stop it, or choose another port with --port.", code="port_in_use",
                           retryable=False) from error
    return sock
