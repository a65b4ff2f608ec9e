# SPDX-License-Identifier: GPL-3.0-or-later
"""Who talks to the bridge, and where each one's answers go. Several at once; remembered over a restart."""

from __future__ import annotations

import re

from bridge.journal import Journal
from bridge.outlets import HTTP, SPOOL, TCP, UDP, Address
from server.errors import InvalidOption

_MOST_NAME = 64
_HOST_AND_PORT = re.compile(r"[0-9.]+:[0-9]{1,5}")
_FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]*")


class Clients:
    """Names and reply addresses. A client that never said hello is named by where it sends from: `host:port` for UDP,
    `transport:address` for everything else."""

    def __init__(self, journal: Journal, own_port: int) -> None:
        self._journal, self._own_port = journal, own_port
        self._replies = {name: Address(*where) for name, where in journal.clients().items()}
        # After a restart nobody need say hello again whose messages come from where its answers go.
        self._names = {Address(to.transport, to.text): name for name, to in reversed(self._replies.items())
                       if to.transport in (UDP, SPOOL)}

    def hello(self, name: str, source: Address, reply_port: int = 0, via: str = "", wake: str = "") -> None:
        """`source` is the client `name` from now on, and its answers go back there.

        Unless `reply_port` says to which UDP port of that machine, or `via` is `spool`: into the client's spool folder,
        each followed by the OSC message `wake`.

        Raises:
            InvalidOption: no usable name, a port that is none or the bridge's own, or another `via`.
        """
        if not name.strip() or len(name) > _MOST_NAME:
            raise InvalidOption(f"a client's name is 1 to {_MOST_NAME} characters, not {len(name)}.")
        if not 0 <= reply_port <= 65535 or reply_port == self._own_port:
            raise InvalidOption(f"reply_port={reply_port} is not a port that you can listen on; give 1 to 65535, or 0 for "
                                f"the port you send from, and not the bridge's own ({self._own_port}).")
        self._names[source] = name
        self._replies[name] = self._reply_address(name, source, reply_port, via, wake)
        self._journal.remember_client(name, *self._replies[name].fields)

    def _reply_address(self, name: str, source: Address, reply_port: int, via: str, wake: str) -> Address:
        if via not in ("", SPOOL):
            raise InvalidOption(f"via={via!r} is not known; 'spool' is, and without it answers go where you send from.")
        spooled = via == SPOOL or source.transport == SPOOL
        if wake and not spooled:
            raise InvalidOption("@wake goes with @via spool; over this connection you hear of a message by getting it.")
        if spooled and not reply_port:
            folder = source.text if source.transport == SPOOL else folder_name(name)
            return Address(SPOOL, folder, checked_wake(wake, self._own_port))
        if reply_port:
            return Address(UDP, f"{source.host}:{reply_port}")
        return Address(HTTP, name) if source.transport == HTTP else source

    def left(self, source: Address) -> None:
        """A connection has ended; who comes from the same place later is somebody else until it says hello."""
        self._names.pop(source, None)

    def name(self, source: Address, claimed: str = "") -> str:
        """The client that a message is from: as it claims by `@client`, else by its source.

        Raises:
            InvalidOption: nobody of the claimed name has said hello.
        """
        if claimed and claimed not in self._replies:
            raise InvalidOption(f"no client {claimed!r} has said hello.")
        return claimed or self._names.get(source) or _unnamed(source)

    def address(self, name: str) -> Address:
        """Where a client's answers go; an address of no transport if nobody of that name can be found."""
        if name in self._replies:
            return self._replies[name]
        transport, _, text = name.partition(":")
        if transport in (TCP, HTTP, SPOOL):
            return Address(transport, text)
        # What is neither is a name that nobody has come with yet, given at a terminal.
        return Address(UDP, name) if _HOST_AND_PORT.fullmatch(name) else Address("", name)

    def knows(self, name: str) -> bool:
        """Whether a client of that name has said hello."""
        return name in self._replies


def _unnamed(source: Address) -> str:
    return source.text if source.transport == UDP else f"{source.transport}:{source.text}"


def folder_name(name: str) -> str:
    """A client's name as the name of its spool folder.

    Raises:
        InvalidOption: it has characters that not every system allows in a file name.
    """
    if not _FOLDER_NAME.fullmatch(name) or name.endswith((" ", ".")):
        raise InvalidOption(f"{name!r} cannot name a spool folder; use letters, digits, '-', '_' and '.'.")
    return name


def checked_wake(wake: str, own_port: int) -> str:
    """A wake message as it was given: `PORT /address arguments...`.

    Raises:
        InvalidOption: it is not of that form, or its port is the bridge's own.
    """
    if not wake:
        return ""
    port, _, rest = wake.partition(" ")
    if not port.isdecimal() or not 0 < int(port) <= 65535 or int(port) == own_port or not rest.startswith("/"):
        raise InvalidOption(f"wake={wake!r} is not 'PORT /address arguments', with the port of the host that is to be "
                            "woken.")
    return wake
