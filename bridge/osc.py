# SPDX-License-Identifier: GPL-3.0-or-later
"""OSC by UDP: one socket, every datagram's messages in their order, answers at most 1024 bytes long."""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass

from bridge.outlets import UDP, Address, Outlet
from bridge.packets import Message, decode, encode
from bridge.reception import Reception
from server.errors import ProtocolError

_log = logging.getLogger("athanor.bridge")


class OscServer(asyncio.DatagramProtocol):
    """Hears and answers from `start` on.

    Args:
        bound: a bound socket.
    """

    def __init__(self, bound: socket.socket) -> None:
        self._socket = bound
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self, reception: Reception) -> None:
        """Hear and answer."""
        self._reception = reception
        reception.outlets.add(UDP, self)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=self._socket)

    def close(self) -> None:
        """Let go of the port."""
        if self._transport is None:
            self._socket.close()
        else:
            self._transport.close()

    def outlet(self, address: Address) -> Outlet:
        host, _, port = address.text.rpartition(":")
        return _Peer(self, (host, int(port)))

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        try:
            messages = decode(data)
        except ProtocolError as error:
            _log.debug("%s:%s: %s", *source[:2], error.message)
            return
        for message in messages:
            self._reception.take(message, Address(UDP, f"{source[0]}:{source[1]}"))

    def error_received(self, exc: OSError) -> None:
        _log.debug("a client's port is closed: %s", exc)

    def send(self, datagram: bytes, peer: tuple[str, int]) -> None:
        """Send a datagram, unless the port is closed already."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(datagram, peer)


@dataclass(frozen=True)
class _Peer:
    server: OscServer
    peer: tuple[str, int]

    def send(self, message: Message) -> None:
        self.server.send(encode(message.address, *message.values), self.peer)
