# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-sent events: what a client is told unasked, as long as it listens. Several may listen in one client's name."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from aiohttp import web

from bridge.http.calls import Collected, event_json, event_name
from bridge.outlets import HTTP, Address, Outlet
from bridge.packets import Message
from bridge.reception import Reception
from bridge.routes import HELLO
from server.errors import InvalidOption, RequestRefused

_KEEP_ALIVE_S = 15.0
_UNREAD = 1000
_STREAMS = 64
_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventStreams:
    """The open streams, by client. What is sent to a client without one is told again when it opens one."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception
        self._streams: defaultdict[str, list[_Stream]] = defaultdict(list)

    def outlet(self, address: Address) -> Outlet:
        return _Streams(self._streams.get(address.text, []))

    def close(self) -> None:
        """End every stream."""
        for streams in list(self._streams.values()):
            for stream in streams:
                stream.end()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """`GET events?client=NAME`: the stream of a client's events. It is a hello, too, of a client that is not known.

        Raises:
            InvalidOption: no usable name. RequestRefused: the client's messages go elsewhere, or too many streams.
        """
        client = request.query.get("client", "")
        self._check(client)
        response = web.StreamResponse(headers=_HEADERS)
        with self._opened(client) as stream:
            hello = Collected()
            await self._reception.answer(Message(HELLO.address, (client,)), Address(HTTP, client), hello)
            hello.check()
            await response.prepare(request)
            await response.write(b"retry: 1000\n\n")
            async for chunk in stream.chunks():
                await response.write(chunk)
        return response

    def _check(self, client: str) -> None:
        clients = self._reception.clients
        if not client:
            raise InvalidOption("say whose events: events?client=NAME.")
        if clients.knows(client) and clients.address(client).transport != HTTP:
            raise RequestRefused(f"the messages of {client!r} go by {clients.address(client).transport}; say hello by HTTP "
                                 "first, or choose another name.", code="conflict", retryable=False)
        if sum(map(len, self._streams.values())) >= _STREAMS:
            raise RequestRefused(f"{_STREAMS} event streams are open, which is as many as there may be.", code="too_many")

    @contextmanager
    def _opened(self, client: str) -> Iterator[_Stream]:
        stream = _Stream()
        self._streams[client].append(stream)
        try:
            yield stream
        finally:
            self._streams[client].remove(stream)
            if not self._streams[client]:
                del self._streams[client]


class _Streams:
    def __init__(self, streams: list[_Stream]) -> None:
        self._streams = streams

    def send(self, message: Message) -> None:
        for stream in self._streams:
            stream.put(message)


class _Stream:
    """What waits to be read by one listener; one that reads too slowly is hung up on, and asks again."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Message | None] = asyncio.Queue(_UNREAD + 1)

    def put(self, message: Message) -> None:
        if self._waiting.qsize() < _UNREAD:
            self._waiting.put_nowait(message)
        else:
            self.end()

    def end(self) -> None:
        if not self._waiting.full():
            self._waiting.put_nowait(None)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Events as they go over the wire, and a comment now and then that shows whether anybody is there."""
        while True:
            try:
                message = await asyncio.wait_for(self._waiting.get(), _KEEP_ALIVE_S)
            except TimeoutError:
                yield b":\n\n"
                continue
            if message is None:
                return
            yield f"event: {event_name(message)}\ndata: {json.dumps(event_json(message))}\n\n".encode()
