# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told unasked: messages word for word, at most 10 Hz of progress, and ends until they are acknowledged."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.announce import Announcer, end_messages, progress_message
from bridge.journal import Entry, Stage
from bridge.packets import Message, decode, encode
from bridge.placement import Placement
from bridge.progress import Progress
from bridge.request import RenderRequest
from bridge.routes import EVENTS, PREFIX

JOB = "0123456789abcdef0123456789abcdef"
ROOT = Path("root").absolute()


def entry(stage: Stage = Stage.PLACED, **more) -> Entry:
    request = RenderRequest(client="pd", request_id="r1", origin="osc:pd", kind="fuse", out=ROOT / "results")
    fields = {"source": None, "results": (), "placed": (), "error": None, "cancel_requested": False,
              "acknowledged": False, "created": 0.0}
    return Entry(JOB, request, stage, **(fields | more))


def placed(name: str, start: int = 480000) -> dict:
    record = Placement(
        file=f"{name}.wav", start_samples=start, start_rate=48000, start_seconds=start / 48000, start_source="requested",
        time_reference_samples=start, sample_rate=48000, length_samples=240000, channels=2, role="fused", job_id=JOB,
        request_id="r1", created="2026-11-20T04:51:30+00:00", checksum=f"sha256:{'0' * 64}", provenance={})
    return {"file": str(ROOT / "results" / f"{name}.wav"), "record": str(ROOT / "results" / f"{name}.json"),
            "placement": record.model_dump()}


def one(messages):
    (message,) = messages
    return message


def test_a_result_is_told_word_for_word():
    message = one(end_messages(entry(placed=(placed("bell"),)), ROOT))
    assert message.address == f"{PREFIX}/done"
    assert message.values == ("r1", JOB, 1, 1, "fused", "results/bell.wav", "results/bell.json", 480000, 10.0, "480000",
                              48000, "requested", 240000, 48000, 2)


def test_every_event_has_the_arguments_of_the_table():
    arguments = {event.address: event.arguments for event in EVENTS}
    told = [progress_message("r1", Progress(JOB, "sampling")),
            *end_messages(entry(placed=(placed("bell"),)), ROOT), *end_messages(entry(), ROOT),
            *end_messages(entry(Stage.CANCELLED), ROOT),
            *end_messages(entry(Stage.FAILED, error={"code": "x", "message": "y", "retryable": True}), ROOT)]
    for message in told:
        datagram = encode(message.address, *message.values)
        assert decode(datagram)[0].address == message.address
        tags = datagram[datagram.index(b",") + 1:].split(b"\0", 1)[0].decode()
        assert tags == "".join(argument.type for argument in arguments[message.address])


def test_a_position_beyond_32_bits_is_exact_as_text():
    values = one(end_messages(entry(placed=(placed("bell", 2**40),)), ROOT)).values
    assert (values[7], values[9]) == (-1, str(2**40))


def test_several_results_are_counted():
    messages = end_messages(entry(placed=(placed("a"), placed("b"))), ROOT)
    assert [m.values[2:4] for m in messages] == [(1, 2), (2, 2)]


def test_a_failure_carries_its_cause():
    error = {"code": "out_of_memory", "message": "too big.", "retryable": True}
    assert one(end_messages(entry(Stage.FAILED, error=error), ROOT)).values == ("r1", JOB, "out_of_memory", 1, "too big.")


def test_progress_is_told_in_fixed_places():
    message = progress_message("r1", Progress(JOB, "sampling", 12, 50, 7.5))
    assert message.values == ("r1", JOB, "sampling", 12, 50, pytest.approx(0.24), 7.5)
    message = progress_message("r1", Progress(JOB, "queued", queue_position=3))
    assert message.values == ("r1", JOB, "queued", 3, 0, 0.0, -1.0)


class Wire:
    """Keeps what is sent, and can be waited on."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, str, Message]] = []
        self._more = asyncio.Event()

    def send(self, client: str, message: Message) -> None:
        self.sent.append((asyncio.get_running_loop().time(), client, message))
        self._more.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.sent) < count:
                self._more.clear()
                await self._more.wait()


async def test_progress_comes_at_most_ten_times_a_second_and_the_newest_is_not_lost():
    wire = Wire()
    announcer = Announcer(wire.send, ROOT)
    for step in range(1000):
        announcer.progress(entry(Stage.SUBMITTED), Progress(JOB, "sampling", step, 1000))
    assert len(wire.sent) == 1
    await wire.until(2)
    (first_s, _, first), (second_s, _, second) = wire.sent
    assert (first.values[3], second.values[3]) == (0, 999)
    assert second_s - first_s >= 0.05  # 0.1 by the clock; a busy machine may take some of it between clock and wire
    announcer.close()


async def test_nothing_about_progress_comes_after_the_end():
    wire = Wire()
    announcer = Announcer(wire.send, ROOT, repeat_after_s=(0.3,))
    for step in range(3):
        announcer.progress(entry(Stage.SUBMITTED), Progress(JOB, "sampling", step, 3))
    announcer.end(entry(placed=(placed("bell"),)))
    await wire.until(3)
    assert [message.address.rsplit("/", 1)[1] for _, _, message in wire.sent] == ["progress", "done", "done"]
    announcer.close()


async def test_an_end_is_repeated_with_growing_pauses_and_not_for_ever(monkeypatch):
    wire, loop, asked = Wire(), asyncio.get_running_loop(), []
    call_later = loop.call_later  # what is asked of the clock is told, not what a busy machine makes of it
    monkeypatch.setattr(loop, "call_later", lambda after_s, *call: asked.append(after_s) or call_later(after_s, *call))
    Announcer(wire.send, ROOT, repeat_after_s=(0.011, 0.012, 0.013)).end(entry(placed=(placed("bell"),)))
    await wire.until(4)
    assert [after_s for after_s in asked if after_s in (0.011, 0.012, 0.013)] == [0.011, 0.012, 0.013]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await wire.until(5)


async def test_an_acknowledged_end_is_not_repeated():
    wire = Wire()
    announcer = Announcer(wire.send, ROOT, repeat_after_s=(0.05,))
    announcer.end(entry(placed=(placed("bell"),)))
    announcer.acknowledged(JOB)
    announcer.end(replace(entry(placed=(placed("bell"),)), acknowledged=True))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await wire.until(3)
