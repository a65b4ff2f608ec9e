# SPDX-License-Identifier: GPL-3.0-or-later
"""All the ways into one bridge, opened and closed together."""

from __future__ import annotations

import logging
from pathlib import Path

from bridge.desk import MakeSession
from bridge.journal import Journal
from bridge.osc import OscServer
from bridge.osc_tcp import OscTcpServer
from bridge.ports import bind_osc
from bridge.reception import Reception

_log = logging.getLogger("athanor.bridge")


class Transports:
    """The ports are held from the beginning, so that a bridge that cannot have them starts nothing. `port`: OSC's.

    Args:
        host, port: where OSC is heard; port 0 is any free one.

    Raises:
        StorageError: a port is in use or may not be used.
    """

    def __init__(self, host: str, port: int) -> None:
        udp, tcp = bind_osc(host, port)
        self.port: int = udp.getsockname()[1]
        self._udp, self._tcp = OscServer(udp), OscTcpServer(tcp)

    async def start(self, journal: Journal, make_session: MakeSession, root: Path, home: Path) -> None:
        """Hear, and go on with what a former bridge left. The arguments are those of `Desk`."""
        self.reception = Reception(journal, self.port, make_session, root, home)
        await self._udp.start(self.reception)
        await self._tcp.start(self.reception)
        left = self.reception.desk.resume()
        if left:
            _log.info("going on with %d unfinished requests", left)

    async def close(self) -> None:
        """Hear nothing more; unfinished requests stay in the journal and go on at the next start."""
        self._udp.close()
        await self._tcp.close()
        await self.reception.desk.close()
