# SPDX-License-Identifier: GPL-3.0-or-later
"""Who talks to the bridge by OSC, and where each one's answers go. Several at once; remembered over a restart."""

from __future__ import annotations

from bridge.journal import Journal
from server.errors import InvalidOption

Address = tuple[str, int]
_MOST_NAME = 64


class Clients:
    """Names and reply addresses. A client that never said hello is named by where it sends from: `host:port`."""

    def __init__(self, journal: Journal, own_port: int) -> None:
        self._journal, self._own_port = journal, own_port
        self._replies = journal.clients()
        self._names: dict[Address, str] = {}

    def hello(self, name: str, source: Address, reply_port: int) -> None:
        """`source` is the client `name` from now on; its answers go to `reply_port` of that host, 0 being the source's.

        Raises:
            InvalidOption: no usable name, or a port that is none or the bridge's own.
        """
        if not name.strip() or len(name) > _MOST_NAME:
            raise InvalidOption(f"a client's name is 1 to {_MOST_NAME} characters, not {len(name)}.")
        if not 0 <= reply_port <= 65535 or reply_port == self._own_port:
            raise InvalidOption(f"reply_port={reply_port} is not a port that you can listen on; give 1 to 65535, or 0 for "
                                f"the port you send from, and not the bridge's own ({self._own_port}).")
        self._names[source] = name
        self._replies[name] = (source[0], reply_port or source[1])
        self._journal.remember_client(name, *self._replies[name])

    def name(self, source: Address, claimed: str = "") -> str:
        """The client that a message is from: as it claims by `@client`, else by its source.

        Raises:
            InvalidOption: nobody of the claimed name has said hello.
        """
        if claimed and claimed not in self._replies:
            raise InvalidOption(f"no client {claimed!r} has said hello.")
        return claimed or self._names.get(source) or f"{source[0]}:{source[1]}"

    def address(self, name: str) -> Address:
        """Where a client's answers go."""
        if name in self._replies:
            return self._replies[name]
        host, _, port = name.rpartition(":")
        return host, int(port)
