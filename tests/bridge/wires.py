# SPDX-License-Identifier: GPL-3.0-or-later
"""One client on each transport, that asks by the table and gives every answer in one form."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from bridge.framing import LengthFraming, SlipFraming
from bridge.packets import Message, decode, encode
from bridge.routes import ERROR, EVENTS, OK, PREFIX, ROUTES, Argument
from bridge.spool_lines import message_text, read_message
from bridge.transports import Transports

LIMIT_S = 60.0
_EVENTS = {event.address: event.arguments for event in EVENTS}
_JOB, _SESSION = re.compile(r"\b[0-9a-f]{32}\b"), re.compile(r"^s[0-9a-f]{8}$")


def masked(message: Message) -> Message:
    """The message with what differs from one client to the next made equal, and every value of the table's type."""
    arguments = _arguments(message)
    read = {"i": int, "f": float, "s": str}
    values = [read[argument.type](value) for argument, value in zip(arguments, message.values, strict=False)]
    values = [_SESSION.sub("SESSION", _JOB.sub("JOB", value)) if isinstance(value, str) else value for value in values]
    return Message(message.address, tuple(values))


def _arguments(message: Message) -> tuple[Argument, ...]:
    if message.address == OK:
        return (*_EVENTS[OK][:2], *ROUTES[message.values[1]].reply)
    return _EVENTS[message.address]


class Wire:
    """Sends a message over some transport and keeps what comes back."""

    def __init__(self, name: str, write: Callable[[Message], None]) -> None:
        self.name, self._write = name, write
        self.received: list[Message] = []
        self._news = asyncio.Event()

    def took(self, message: Message) -> None:
        self.received.append(message)
        self._news.set()

    async def ask(self, message: Message) -> list[Message]:
        """The answer, and as many lines behind it as its `count` says."""
        request = str(message.values[0]) if message.values else ""
        self._write(message)
        answer = await self._wait(lambda m: m.address in (OK, ERROR) and m.values[:2] == (request, message.address))
        names = [argument.name for argument in ROUTES[message.address].reply] if answer.address == OK else []
        count = int(answer.values[2 + names.index("count")]) if "count" in names and len(names) == 1 else 0
        lines = [await self._wait(lambda m: m.address not in (OK, ERROR) and m.values[0] == request) for _ in range(count)]
        assert not [m for m in self.received if m.address in (OK, ERROR)], f"{self.name}: more than one answer"
        return [answer, *lines]

    async def _wait(self, wanted: Callable[[Message], bool]) -> Message:
        async with asyncio.timeout(LIMIT_S):
            while True:
                for message in self.received:
                    if wanted(message):
                        self.received.remove(message)
                        return message
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def all_wires(bridge: Transports, root: Path) -> AsyncIterator[list[Any]]:
    """UDP, TCP in both framings, HTTP and the spool, each its own client that has said hello."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(wire) for wire in (
            _udp(bridge), _tcp(bridge, SlipFraming()), _tcp(bridge, LengthFraming()), _http(bridge), _spool(root))]


@asynccontextmanager
async def _udp(bridge: Transports) -> AsyncIterator[Wire]:
    class Receiver(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, peer: Any) -> None:
            for message in decode(data):
                wire.took(message)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Receiver, remote_addr=("127.0.0.1", bridge.port))
    wire = Wire("udp", lambda message: transport.sendto(encode(message.address, *message.values)))
    yield wire
    transport.close()


@asynccontextmanager
async def _tcp(bridge: Transports, framing: Any) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    wire = Wire(type(framing).__name__,
                lambda message: writer.write(framing.frame(encode(message.address, *message.values))))

    async def read() -> None:
        while data := await reader.read(65536):
            for packet in framing.feed(data):
                wire.took(*decode(packet))

    reading = asyncio.create_task(read())
    yield wire
    reading.cancel()
    writer.close()
    await asyncio.gather(reading, writer.wait_closed(), return_exceptions=True)


class _HttpWire(Wire):
    """Its messages go as JSON by the table's names; its answers come back as messages."""

    def __init__(self, session: aiohttp.ClientSession, bridge: Transports) -> None:
        super().__init__("http", lambda message: None)
        self._session, self._base = session, f"http://127.0.0.1:{bridge.http_port}"
        self._headers = {"Authorization": f"Bearer {bridge.connection.token}"}

    async def ask(self, message: Message) -> list[Message]:
        route, values = ROUTES[message.address], list(message.values)
        first_key = next((n for n, value in enumerate(values) if str(value).startswith("@")), len(values))
        body = {argument.name: value for argument, value in zip(route.arguments, values[:first_key], strict=False)}
        body["options"] = {"client": "http wire"} if not route.address.endswith("/hello") else {}
        pairs = zip(values[first_key::2], values[first_key + 1::2], strict=True)
        body["options"] |= {key[1:]: value for key, value in pairs}
        async with self._session.post(self._base + message.address, json=body, headers=self._headers) as response:
            answer = await response.json()
        if not answer["ok"]:
            assert response.status >= 400
            return [Message(ERROR, (answer["request"], message.address, answer["code"], answer["message"]))]
        assert response.status == 200
        reply = [answer[argument.name] for argument in route.reply]
        events = [Message(f"{PREFIX}/{event.pop('event')}", tuple(event.values())) for event in answer.get("events", [])
                  if event["event"] not in ("done", "failed", "cancelled")]  # the others are told these by themselves
        return [Message(OK, (answer["request"], message.address, *reply)), *events]


@asynccontextmanager
async def _http(bridge: Transports) -> AsyncIterator[Wire]:
    async with aiohttp.ClientSession() as session:
        wire = _HttpWire(session, bridge)
        await wire.ask(Message(f"{PREFIX}/hello", ("http wire",)))
        yield wire


@asynccontextmanager
async def _spool(root: Path) -> AsyncIterator[Wire]:
    inbox, outbox = (root / "spool" / "wire" / side for side in ("in", "out"))
    inbox.mkdir(parents=True)

    def write(message: Message) -> None:
        (inbox / "next.tmp").write_text(message_text(message))
        os.replace(inbox / "next.tmp", inbox / "next.msg")

    wire = Wire("spool", write)

    async def read() -> None:
        while True:
            for path in sorted(outbox.glob("*.msg")):
                wire.took(read_message(path.read_bytes()))
                path.unlink()
            await asyncio.sleep(0.01)

    reading = asyncio.create_task(read())
    yield wire
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
