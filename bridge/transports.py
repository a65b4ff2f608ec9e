# SPDX-License-Identifier: GPL-3.0-or-later
"""All the ways into one bridge, opened and closed together."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

from bridge.connection import DEFAULT_HTTP_PORT, Connection, load, new_token, save
from bridge.desk import MakeSession
from bridge.http.server import HttpServer
from bridge.journal import Journal
from bridge.osc import OscServer
from bridge.osc_tcp import OscTcpServer
from bridge.ports import bind_first, bind_osc, bind_tcp
from bridge.reception import Reception
from bridge.spool import SpoolServer
from server.errors import StorageError

_log = logging.getLogger("athanor.bridge")


class Transports:
    """The ports are held from the beginning, so that a bridge that cannot have them starts nothing.

    `port` is OSC's, `http_port` HTTP's. HTTP's port, where none is asked for, and its token are those of the last bridge
    of the data folder.

    Args:
        root, home: import root and data folder.
        host, port: where OSC is heard; port 0 is any free one.
        http_port: where HTTP is heard; 0 is any free one, None the last one, else the usual one, else any.

    Raises:
        StorageError: a port is in use or may not be used.
    """

    def __init__(self, root: Path, home: Path, host: str = "127.0.0.1", port: int = 0,
                 http_port: int | None = None) -> None:
        self._root, self._home = root, home
        self.reception: Reception | None = None
        last = load(home)
        web = _bind_http(host, http_port, last)
        try:
            udp, tcp = bind_osc(host, port)
        except StorageError:
            web.close()
            raise
        self.port: int = udp.getsockname()[1]
        token = last.token if last else new_token()
        self._udp, self._tcp = OscServer(udp), OscTcpServer(tcp)
        self._spool = SpoolServer(root)
        self._http = HttpServer(web, token, self.port, root)
        self.http_port = self._http.port
        self.connection = Connection(osc_port=self.port, http_port=self.http_port, token=token, root=root)

    async def start(self, journal: Journal, make_session: MakeSession) -> None:
        """Hear, and go on with what a former bridge left. The arguments are those of `Desk`."""
        self.reception = Reception(journal, self.port, make_session, self._root, self._home)
        await self._udp.start(self.reception)
        await self._tcp.start(self.reception)
        await self._http.start(self.reception)
        self._spool.start(self.reception)
        save(self._home, self.connection)
        left = self.reception.desk.resume()
        if left:
            _log.info("going on with %d unfinished requests", left)

    async def close(self) -> None:
        """Hear nothing more; unfinished requests stay in the journal and go on at the next start."""
        self._udp.close()
        await self._tcp.close()
        await self._http.close()
        await self._spool.close()
        if self.reception is not None:
            await self.reception.desk.close()


def _bind_http(host: str, port: int | None, last: Connection | None) -> socket.socket:
    if port:
        return bind_tcp(host, port, "--http-port")
    return bind_first(host, [*([last.http_port] if last else []), *([DEFAULT_HTTP_PORT] if port is None else [])])
