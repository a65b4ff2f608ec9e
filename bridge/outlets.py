# SPDX-License-Identifier: GPL-3.0-or-later
"""Where messages go: a client's name leads to an address, an address to an outlet of its transport, which encodes.

Desk and announcer speak messages to clients by name; only the transports know what a datagram, a connection, an event
stream or a spool folder is.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from bridge.packets import Message
from server.errors import AthanorError

UDP, TCP, HTTP, SPOOL = "udp", "tcp", "http", "spool"
_HERE = "127.0.0.1"
_log = logging.getLogger("athanor.bridge")


@dataclass(frozen=True)
class Address:
    """A place that messages come from and go to.

    text: `host:port` for UDP and TCP; the client's name for HTTP and spool folders.
    wake: an OSC message that is sent after each message to a spool folder, as `hello` gave it; "" for none.
    """

    transport: str
    text: str
    wake: str = ""

    @property
    def fields(self) -> tuple[str, str, str]:
        """As it is written down."""
        return self.transport, self.text, self.wake

    @property
    def host(self) -> str:
        """The machine that it is on."""
        return self.text.rpartition(":")[0] if self.transport in (UDP, TCP) else _HERE


class Outlet(Protocol):
    """Takes messages for one address."""

    def send(self, message: Message) -> None:
        """Send at once, without waiting; InvalidInput where the transport cannot carry the message."""


class Transport(Protocol):
    """A kind of connection."""

    def outlet(self, address: Address) -> Outlet:
        """What takes messages for that address; what is sent while nobody is there is lost, and told again later."""


class Outlets:
    """The transports of one bridge, by name."""

    def __init__(self) -> None:
        self._transports: dict[str, Transport] = {}

    def add(self, name: str, transport: Transport) -> None:
        """Messages to addresses of that transport go there from now on."""
        self._transports[name] = transport

    def outlet(self, address: Address) -> Outlet:
        """What takes messages for an address; one of a transport that does not run here takes them and drops them."""
        transport = self._transports.get(address.transport)
        return transport.outlet(address) if transport else Nowhere(address)

    def tell(self, address: Address, message: Message) -> None:
        """Send what nobody waits for: what cannot be sent is logged."""
        try:
            self.outlet(address).send(message)
        except (AthanorError, OSError) as error:
            _log.warning("%s could not be told %s: %s", address.text, message.address, error)


@dataclass(frozen=True)
class Nowhere:
    """The outlet of an address where nobody is."""

    address: Address

    def send(self, message: Message) -> None:
        _log.debug("nobody is at %s; %s is dropped", self.address.text, message.address)
