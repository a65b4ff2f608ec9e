# SPDX-License-Identifier: GPL-3.0-or-later
"""Statuses and publishing over a real ledger and socket; what subscribers see is in tests/failure/test_events.py."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import zmq
import zmq.asyncio

from server.database import Database
from server.events import Events
from server.executors.base import StepReport
from server.jobs import Event, Job
from server.ledger import Ledger, ResultRow
from server.protocol import job_topic
from server.settings import Settings
from server.telemetry import Counters


@dataclass
class Stage:
    ledger: Ledger
    events: Events
    listener: zmq.asyncio.Socket

    async def heard(self) -> dict:
        """The next event."""
        _, data = await asyncio.wait_for(self.listener.recv_multipart(), 10)
        return json.loads(data)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    database, context = Database(tmp_path / "ledger.db"), zmq.asyncio.Context()
    publisher, listener = context.socket(zmq.XPUB), context.socket(zmq.SUB)
    port = publisher.bind_to_random_port("tcp://127.0.0.1")
    settings = replace(Settings(tmp_path), event_rate_hz=2.0)
    ledger = Ledger(database)
    events = Events(ledger, publisher, settings, Counters(), "instance")
    serving = asyncio.create_task(events.serve_subscribers())
    listener.subscribe(job_topic("a" * 32))
    listener.connect(f"tcp://127.0.0.1:{port}")
    stage = Stage(ledger, events, listener)
    assert await stage.heard() == {"type": "snapshot", "job_id": "a" * 32, "status": None}
    ledger.add([Job("a" * 32, "debug", {"prompt": "secret"}, {}, "me", "d")])
    yield stage
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    context.destroy(linger=0)
    database.close()


def claim(stage: Stage) -> Job:
    job = stage.ledger.claim("1.1")
    assert job is not None
    return job


async def test_phases_are_told_at_once_and_steps_as_the_rate_allows(stage: Stage) -> None:
    job = claim(stage)
    stage.events.changed(job)
    for step in range(50):
        stage.events.step(job.id, StepReport("sampling", step, 50))
    stage.events.step(job.id, StepReport("decoding", 0, 1))
    told = [(await stage.heard())["status"] for _ in range(3)]
    assert [(status["phase"], status["step"]) for status in told] == [("starting", 0), ("sampling", 0), ("decoding", 0)]
    assert [status["seq"] - told[0]["seq"] for status in told] == [0, 1, 2]


async def test_the_last_of_a_burst_of_steps_is_told_when_its_time_has_come(stage: Stage) -> None:
    job = claim(stage)
    for step in range(50):
        stage.events.step(job.id, StepReport("sampling", step, 50))
    assert [(await stage.heard())["status"]["step"] for _ in range(2)] == [0, 49]


async def test_an_event_carries_neither_prompt_nor_results(stage: Stage) -> None:
    job = claim(stage)
    row = ResultRow("r", "r", "d" * 64, 1, "audio/wav", {"prompt": "secret"})
    job = stage.ledger.record(job.id, Event.SUCCEED, results=[row])
    stage.events.changed(job)
    event = await stage.heard()
    assert event["status"]["state"] == "succeeded" and event["status"]["results"] == []
    assert "secret" not in json.dumps(event)
    assert stage.events.status(job).results[0].provenance == {"prompt": "secret"}


async def test_the_time_left_is_an_estimate_from_the_steps_of_the_phase(stage: Stage) -> None:
    job = claim(stage)
    stage.events.step(job.id, StepReport("sampling", 10, 30))
    assert stage.events.status(job).eta_s is None, "nothing is known at the first step seen"
    stage.events.step(job.id, StepReport("sampling", 20, 30))
    eta_s = stage.events.status(job).eta_s
    assert eta_s is not None and 0 <= eta_s < 10


async def test_a_retry_begins_its_progress_again(stage: Stage) -> None:
    job = claim(stage)
    stage.events.step(job.id, StepReport("sampling", 9, 10))
    before = stage.events.status(job)
    stage.events.changed(stage.ledger.record(job.id, Event.LOSE))
    after = stage.events.status(claim(stage))
    assert (after.attempt, after.step, after.phase) == (2, 0, "starting")
    assert after.seq > before.seq
