# SPDX-License-Identifier: GPL-3.0-or-later
"""OSC by TCP, on the port number of UDP: nothing is lost and messages may be long. A connection is a client's outlet."""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass

from bridge.framing import MAX_PACKET, Framing, find_framing
from bridge.outlets import TCP, Address, Nowhere, Outlet
from bridge.packets import Message, decode, encode
from bridge.reception import Reception
from server.errors import ProtocolError

_log = logging.getLogger("athanor.bridge")
_CONNECTIONS = 64
_UNREAD_BYTES = 1 << 20


class OscTcpServer:
    """Answers each connection in the order of its messages; what comes faster waits in the connection.

    Args:
        listening: a bound socket.
    """

    def __init__(self, listening: socket.socket) -> None:
        self._socket = listening
        self._server: asyncio.Server | None = None
        self._connections: dict[str, _Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, reception: Reception) -> None:
        """Hear and answer."""
        self._reception = reception
        reception.outlets.add(TCP, self)
        self._server = await asyncio.start_server(self._connected, sock=self._socket)

    async def close(self) -> None:
        """Let go of the port and of all connections."""
        if self._server is None:
            self._socket.close()
            return
        self._server.close()
        for connection in list(self._connections.values()):
            connection.writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def outlet(self, address: Address) -> Outlet:
        return self._connections.get(address.text) or Nowhere(address)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        peer = "{}:{}".format(*writer.get_extra_info("peername")[:2])
        try:
            if len(self._connections) < _CONNECTIONS:
                await self._serve(reader, writer, peer)
        except (ProtocolError, OSError) as error:
            _log.debug("%s: %s", peer, error)
        finally:
            self._connections.pop(peer, None)
            self._reception.clients.left(Address(TCP, peer))
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        data = await reader.read(MAX_PACKET)
        if not data:
            return
        framing = find_framing(data)
        self._connections[peer] = _Connection(writer, framing)
        while data:
            for packet in framing.feed(data):
                await self._take(packet, Address(TCP, peer))
                await writer.drain()  # who does not read its answers is not heard any further
                await asyncio.sleep(0)  # the others have their turn
            data = await reader.read(MAX_PACKET)

    async def _take(self, packet: bytes, source: Address) -> None:
        try:
            messages = decode(packet)
        except ProtocolError as error:
            _log.debug("%s: %s", source.text, error.message)
            return
        for message in messages:
            await self._reception.answer(message, source)


@dataclass(frozen=True)
class _Connection:
    writer: asyncio.StreamWriter
    framing: Framing

    def send(self, message: Message) -> None:
        if self.writer.is_closing():
            return
        self.writer.write(self.framing.frame(encode(message.address, *message.values, limit=MAX_PACKET)))
        if self.writer.transport.get_write_buffer_size() > _UNREAD_BYTES:
            self.writer.transport.abort()  # nobody reads there; ends are told again after its next hello
