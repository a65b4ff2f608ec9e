# SPDX-License-Identifier: GPL-3.0-or-later
"""A client's link to whatever run of the server there is now: ask until answered, listen to jobs, follow a restart."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio

from server import protocol
from server.auth import Connection, KeyPair, keep_alive, present
from server.errors import ServerUnreachable, from_wire
from server.lock import is_held
from server.protocol import JobStatus
from server.settings import Paths

_RESEND_S = 5.0
_LOOK_S = 0.2
_Answer = tuple[dict[str, Any], bytes]
News = asyncio.Queue[JobStatus | None]


class _Sockets:
    """The sockets to one run of the server."""

    def __init__(self, context: zmq.asyncio.Context, connection: Connection) -> None:
        self.connection = connection
        self.requests = self._open(context, zmq.DEALER)
        self.requests.setsockopt(zmq.MAXMSGSIZE, protocol.MAX_FRAME_BYTES)
        self.requests.connect(connection.requests)
        self.events = self._open(context, zmq.SUB)
        self.events.connect(connection.events)

    def _open(self, context: zmq.asyncio.Context, kind: int) -> zmq.asyncio.Socket:
        socket = context.socket(kind)
        present(socket, KeyPair(self.connection.client_public, self.connection.client_secret), self.connection.server_key)
        keep_alive(socket)
        socket.linger = 0
        return socket

    def close(self) -> None:
        self.requests.close()
        self.events.close()


class ServerLink:
    """Asks and listens. The connection file is looked at again while an answer is missing: a new one is followed."""

    def __init__(self, paths: Paths, patience_s: float) -> None:
        """`patience_s`: how long a silent server is waited for."""
        self._paths, self._patience_s = paths, patience_s
        self._context = zmq.asyncio.Context()
        self._sockets: _Sockets | None = None
        self._hearing: list[asyncio.Task[None]] = []
        self._waiting: dict[bytes, asyncio.Future[tuple[bool, dict[str, Any], bytes]]] = {}
        self._listeners: dict[str, list[News]] = {}

    def open(self) -> None:
        """Connect to the server that this machine is paired with, else to the one of the connection file.

        Raises:
            ServerUnreachable: there is no such file, or the server that wrote it is gone.
        """
        if self._paths.paired.exists():
            self._use(Connection.read(self._paths.paired))
            return
        connection = Connection.read(self._paths.connection)
        if not is_held(self._paths.lock):
            raise ServerUnreachable(f"the server (process {connection.pid}) has died; {self._paths.log} may say why. "
                                    "Start it again with `athanor serve`: nothing that it had accepted is lost.")
        self._use(connection)

    def close(self) -> None:
        """Close the sockets; what waits for an answer gets ServerUnreachable."""
        self._hang_up()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ServerUnreachable("the client was closed."))
        self._context.term()

    @property
    def instance(self) -> str | None:
        """Which run of the server this is connected to."""
        return self._sockets.connection.instance if self._sockets else None

    async def ask(
        self, type: str, message: protocol.Message, binary: bytes | None = None, patience_s: float | None = None
    ) -> _Answer:
        """Send a request until it is answered; returns the reply's fields and bytes.

        Raises:
            AthanorError: what the server refused it with.
            ServerUnreachable: no answer for `patience_s`.
        """
        request_id = secrets.token_bytes(protocol.REQUEST_ID_BYTES)
        frames = protocol.encode_request(request_id, type, message, binary)
        future = self._waiting[request_id] = asyncio.get_running_loop().create_future()
        try:
            ok, fields, data = await self._answered(frames, future, patience_s or self._patience_s)
        finally:
            del self._waiting[request_id]
        if not ok:
            raise from_wire(fields["error"])
        return fields, data

    async def _answered(
        self, frames: list[bytes], future: asyncio.Future[tuple[bool, dict[str, Any], bytes]], patience_s: float
    ) -> tuple[bool, dict[str, Any], bytes]:
        begun, sent, sent_to = time.monotonic(), 0.0, None
        while not future.done():
            self.follow()
            now = time.monotonic()
            if self._sockets is not None and (self._sockets is not sent_to or now - sent > _RESEND_S):
                sent, sent_to = now, self._sockets
                await self._send(frames)
            await asyncio.wait({future}, timeout=_LOOK_S)
            if not future.done() and now - begun > patience_s:
                raise ServerUnreachable(f"the server has been silent for {patience_s:g} s. {self._advice()}")
        return future.result()

    async def _send(self, frames: list[bytes]) -> None:
        assert self._sockets is not None
        try:
            await self._sockets.requests.send_multipart(frames, flags=zmq.DONTWAIT, copy=False)
        except zmq.Again:  # the server has turned this connection away: it leads nowhere, and another one may not
            self._use(self._sockets.connection)

    def _advice(self) -> str:
        if not self._paths.paired.exists():
            return f"Look at {self._paths.log}, or restart it with `athanor stop` and `athanor serve`."
        endpoint = Connection.read(self._paths.paired).requests
        return (f"It is the one that this machine is paired with, at {endpoint}: see there that `athanor serve --lan` runs "
                "and has not revoked this machine. `athanor pair --forget` goes back to a server on this machine.")

    def listen(self, job_id: str) -> News:
        """A queue of what is published about a job; None in it means: ask. Close it with `unlisten`."""
        self.follow()
        news: News = asyncio.Queue()
        self._listeners.setdefault(job_id, []).append(news)
        if self._sockets is not None:
            self._sockets.events.subscribe(protocol.job_topic(job_id))
        return news

    def unlisten(self, job_id: str, news: News) -> None:
        """Undo one `listen`."""
        self._listeners[job_id].remove(news)
        if not self._listeners[job_id]:
            del self._listeners[job_id]
        if self._sockets is not None:
            self._sockets.events.unsubscribe(protocol.job_topic(job_id))

    def follow(self) -> None:
        """If another run of the server has written its connection file, go there."""
        if self._paths.paired.exists():
            return  # its keys and ports stay, and ZeroMQ finds it again by itself
        with contextlib.suppress(ServerUnreachable):
            connection = Connection.read(self._paths.connection)
            if connection.instance != self.instance:
                self._use(connection)

    def _use(self, connection: Connection) -> None:
        self._hang_up()
        self._sockets = sockets = _Sockets(self._context, connection)
        self._hearing = [asyncio.create_task(self._hear_replies(sockets)), asyncio.create_task(self._hear_events(sockets))]
        for job_id, listeners in self._listeners.items():
            for news in listeners:
                sockets.events.subscribe(protocol.job_topic(job_id))
                news.put_nowait(None)

    def _hang_up(self) -> None:
        for task in self._hearing:
            task.cancel()
        if self._sockets is not None:
            self._sockets.close()
            self._sockets = None

    async def _hear_replies(self, sockets: _Sockets) -> None:
        while True:
            frames = await sockets.requests.recv_multipart()
            try:
                request_id, ok, fields, data = protocol.parse_reply(frames)
            except protocol.Malformed:
                continue
            future = self._waiting.get(request_id)
            if future is not None and not future.done():
                future.set_result((ok, fields, data))

    async def _hear_events(self, sockets: _Sockets) -> None:
        while True:
            topic, *rest = await sockets.events.recv_multipart()
            job_id = protocol.topic_job(topic)
            if job_id is None or len(rest) != 1:
                continue
            with contextlib.suppress(protocol.Malformed, ValueError, KeyError):
                fields = protocol.parse_json(rest[0], protocol.MAX_REPLY_HEADER_BYTES)
                status = None if fields["status"] is None else JobStatus.model_validate(fields["status"])
                for news in self._listeners.get(job_id, []):
                    news.put_nowait(status)


def running_instance(path: Path) -> str | None:
    """Which run of a server the connection file at `path` tells of, if there is one."""
    try:
        return Connection.read(path).instance
    except ServerUnreachable:
        return None
