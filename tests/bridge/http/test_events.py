# SPDX-License-Identifier: GPL-3.0-or-later
"""A stream of events: as the specification of server-sent events says, and never more than a listener can read."""

from bridge.http import events
from bridge.packets import Message
from bridge.routes import CANCELLED


async def test_an_event_is_its_name_and_one_line_of_json():
    stream = events._Stream()
    stream.put(Message(CANCELLED, ("two\nlines", "job")))
    stream.end()
    told = [chunk async for chunk in stream.chunks()]
    assert told == [b'event: cancelled\ndata: {"event": "cancelled", "request": "two\\nlines", "job": "job"}\n\n']


async def test_a_comment_shows_that_the_stream_lives(monkeypatch):
    monkeypatch.setattr(events, "_KEEP_ALIVE_S", 0.01)
    assert await anext(events._Stream().chunks()) == b":\n\n"


async def test_a_listener_that_reads_too_slowly_is_hung_up_on(monkeypatch):
    monkeypatch.setattr(events, "_UNREAD", 3)
    stream = events._Stream()
    for number in range(9):
        stream.put(Message(CANCELLED, (f"r{number}", "job")))
    assert len([chunk async for chunk in stream.chunks()]) == 3
