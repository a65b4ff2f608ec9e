# SPDX-License-Identifier: GPL-3.0-or-later
"""OSC by TCP: both framings, long messages, whole bursts, and what is no OSC at all."""

import asyncio

import pytest
from pythonosc.tcp_client import SimpleTCPClient

from bridge.framing import LengthFraming, SlipFraming
from bridge.packets import decode, encode
from bridge.routes import PREFIX, PROFILE

LIMIT_S = 60


class TcpClient:
    """A stream to one bridge."""

    def __init__(self, reader, writer, framing) -> None:
        self.reader, self.writer, self.framing, self.waiting = reader, writer, framing, []

    def send(self, address, *values) -> None:
        self.writer.write(self.framing.frame(encode(f"{PREFIX}/{address}", *values, limit=65536)))

    async def next(self):
        async with asyncio.timeout(LIMIT_S):
            while not self.waiting:
                data = await self.reader.read(65536)
                assert data, "the bridge closed the connection"
                self.waiting += [decode(packet)[0] for packet in self.framing.feed(data)]
        return self.waiting.pop(0)

    async def ask(self, address, *values):
        self.send(address, *values)
        return await self.next()


@pytest.fixture
async def connect(lonely_bridge):
    writers = []

    async def connect(framing):
        reader, writer = await asyncio.open_connection("127.0.0.1", lonely_bridge.port)
        writers.append(writer)
        return TcpClient(reader, writer, framing)

    yield connect
    for writer in writers:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@pytest.mark.parametrize("framing", [SlipFraming, LengthFraming])
async def test_a_connection_is_answered_in_its_own_framing(connect, framing, root):
    client = await connect(framing())
    hello = await client.ask("hello", "tcp", 0, "a program", PROFILE)
    assert (hello.address, hello.values[4]) == (f"{PREFIX}/ok", str(root))
    assert (await client.ask("ping", "p1")).values[0] == "p1"


async def test_the_end_of_a_job_goes_to_the_connection_and_after_a_new_hello_to_the_next_one(connect):
    client = await connect(SlipFraming())
    await client.ask("hello", "tcp")
    assert (await client.ask("render/fuse", "r1", "original.wav", "reference.wav")).address == f"{PREFIX}/ok"
    while (message := await client.next()).address != f"{PREFIX}/failed":
        pass
    assert message.values[2] == "not_here"
    client.writer.close()
    again = await connect(LengthFraming())
    await again.ask("hello", "tcp")
    assert (await again.next()).address == f"{PREFIX}/failed"


async def test_a_burst_of_2000_is_answered_whole_and_in_order(connect):
    client = await connect(SlipFraming())
    for number in range(2000):
        client.send("ping", f"p{number}")
    assert [(await client.next()).values[0] for _ in range(2000)] == [f"p{number}" for number in range(2000)]


async def test_one_that_never_reads_holds_up_nobody(connect):
    deaf, other = await connect(LengthFraming()), await connect(SlipFraming())
    deaf.writer.write(deaf.framing.frame(encode(f"{PREFIX}/ping", "p")) * 30_000)
    assert (await other.ask("ping", "p")).values[0] == "p"


async def test_a_message_longer_than_a_datagram_is_read(connect):
    client = await connect(LengthFraming())
    answer = await client.ask("render/fuse", "long", "original.wav", "reference.wav", "@prompt", "x" * 10_000)
    assert answer.address == f"{PREFIX}/error"
    assert "10000 characters" in answer.values[3]


@pytest.mark.parametrize("words", [b"POST /athanor/v1/ping HTTP/1.1\r\n\r\n", b"\xff\xfe", bytes(4), b"\0\xff\xff\xff"])
async def test_what_is_no_osc_is_hung_up_on_and_the_next_one_is_heard(lonely_bridge, connect, words):
    reader, writer = await asyncio.open_connection("127.0.0.1", lonely_bridge.port)
    writer.write(words)
    async with asyncio.timeout(LIMIT_S):
        assert await reader.read() == b""
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    assert (await (await connect(SlipFraming())).ask("ping", "alive")).address == f"{PREFIX}/ok"


@pytest.mark.parametrize("mode", ["1.0", "1.1"])
async def test_python_osc_s_own_client_is_answered(lonely_bridge, mode):
    def ask():
        with SimpleTCPClient("127.0.0.1", lonely_bridge.port, mode=mode) as other:
            other.send_message(f"{PREFIX}/ping", "p1")
            return next(other.get_messages(LIMIT_S))

    heard = await asyncio.to_thread(ask)
    assert (heard.address, heard.params[:2]) == (f"{PREFIX}/ok", ["p1", f"{PREFIX}/ping"])


async def test_garbage_in_a_frame_is_passed_over(connect):
    client = await connect(SlipFraming())
    client.writer.write(b"\xc0#bundle\0\xc0" + client.framing.frame(b"/\xff\xff") + client.framing.frame(b"words"))
    client.send("ok", "r", "x")
    assert (await client.ask("ping", "p")).values[0] == "p"
