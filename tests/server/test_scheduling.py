# SPDX-License-Identifier: GPL-3.0-or-later
"""The scheduler over the real ledger, store and sockets, with an executor that does what a test says."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import zmq
import zmq.asyncio
from safetensors.numpy import save

from server.blobs import BlobStore
from server.database import Database
from server.errors import JobFailed, StorageError
from server.events import Events
from server.executors.base import ExecutorState, Produced, StepReport, Task
from server.jobs import Job, State
from server.ledger import Ledger
from server.palette import Palette
from server.scheduling import Scheduler
from server.settings import Settings
from server.telemetry import Counters, open_log

ADAPTER = save({"w": np.zeros(4, np.float32)}, metadata={"athanor": json.dumps({"prompt": "bells"})})
Work = Callable[[Task], Sequence[Produced]]


class InProcess:
    """An executor that runs a function of the test's in this process."""

    def __init__(self) -> None:
        self.work: Work = lambda task: []
        self.ran: list[str] = []

    async def start(self) -> None: ...

    async def ready(self) -> str:
        return "1.1"

    async def run(self, task: Task, on_step: Callable[[StepReport], None]) -> Sequence[Produced]:
        on_step(StepReport("sampling", 0, 1))
        self.ran.append(task.job_id)
        return self.work(task)

    async def cancel(self, job_id: str, *, hard: bool) -> None: ...

    def median_step_s(self) -> float:
        return 0.0

    def state(self) -> ExecutorState:
        return ExecutorState("ready")

    async def stop(self, grace_s: float) -> None: ...


@dataclass
class House:
    ledger: Ledger
    store: BlobStore
    palette: Palette
    executor: InProcess
    scheduler: Scheduler

    def produced(self, role: str, data: bytes) -> Produced:
        """A result file in the incoming folder, as a worker leaves it."""
        digest = hashlib.sha256(data).hexdigest()
        file = self.store.incoming / f"1.1-x-1-{role}"
        file.write_bytes(data)
        return Produced(role, role, file, digest, len(data), "application/octet-stream", {})

    async def until_ended(self, job_id: str) -> Job:
        async with asyncio.timeout(20):
            while True:
                job = self.ledger.get(job_id)
                if job is not None and job.is_terminal:
                    return job
                await asyncio.sleep(0.01)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    settings = replace(Settings(tmp_path), free_floor_bytes=0)
    database, context, counters = Database(tmp_path / "ledger.db"), zmq.asyncio.Context(), Counters()
    socket = context.socket(zmq.XPUB)
    socket.bind_to_random_port("tcp://127.0.0.1")
    ledger, store = Ledger(database), BlobStore(tmp_path / "blobs", database, settings)
    palette, executor = Palette(tmp_path / "palette"), InProcess()
    events = Events(ledger, socket, settings, counters, "instance")
    scheduler = Scheduler(settings, ledger, store, palette, executor, events, counters, open_log())
    running = asyncio.create_task(scheduler.run())
    yield House(ledger, store, palette, executor, scheduler)
    await scheduler.drain(5.0)
    await running
    context.destroy(linger=0)
    database.close()


def learn(job_id: str) -> Job:
    return Job(job_id, "learn", {"name": "bells", "prompt": "bells"}, {}, "a", "d")


async def test_a_learned_adapter_is_in_the_palette_before_the_next_job_runs(house: House) -> None:
    had_entry: list[bool] = []

    def work(task: Task) -> Sequence[Produced]:
        had_entry.append(house.palette.has("bells"))
        return [house.produced("adapter", ADAPTER), house.produced("recalled", b"sound")] if task.kind == "learn" else []

    house.executor.work = work
    house.ledger.add([learn("learn"), Job("fuse", "debug", {}, {}, "a", "d")], [("fuse", "learn")])
    house.scheduler.wake()
    assert (await house.until_ended("fuse")).state is State.SUCCEEDED
    assert house.executor.ran == ["learn", "fuse"]
    assert had_entry == [False, True]
    assert house.palette.entries()[0].card == {"prompt": "bells"}
    assert [row.role for row in house.ledger.results("learn")] == ["adapter", "recalled"]
    assert house.store.strays() == []


async def test_an_adapter_that_is_none_fails_the_job_and_stores_nothing(house: House) -> None:
    house.executor.work = lambda task: [house.produced("recalled", b"sound"), house.produced("adapter", b"no safetensors")]
    house.ledger.add([learn("learn")])
    house.scheduler.wake()
    job = await house.until_ended("learn")
    assert job.state is State.FAILED and job.failure is not None
    assert house.palette.entries() == [] and house.ledger.results("learn") == []


async def test_results_that_find_no_room_leave_nothing_behind(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    adopt = house.store.adopt

    def full_at_the_second(file: Path, digest: str) -> None:
        if file.name.endswith("second"):
            raise StorageError("no room, as asked.")
        adopt(file, digest)

    monkeypatch.setattr(house.store, "adopt", full_at_the_second)
    house.executor.work = lambda task: [house.produced("first", b"1"), house.produced("second", b"2")]
    house.ledger.add([Job("a", "debug", {}, {}, "a", "d")])
    house.scheduler.wake()
    job = await house.until_ended("a")
    assert job.state is State.FAILED and job.failure is not None
    assert job.failure.code == "storage_full"
    assert [stray for stray in house.store.strays() if "incoming" not in stray] == []


async def test_a_failure_is_carried_to_all_that_wait(house: House) -> None:
    def fail(task: Task) -> Sequence[Produced]:
        raise JobFailed("the clip is of no use.")

    house.executor.work = fail
    jobs = [Job(name, "debug", {}, {}, "a", "d") for name in ("first", "second", "third")]
    house.ledger.add(jobs, [("second", "first"), ("third", "second")])
    house.scheduler.wake()
    job = await house.until_ended("third")
    assert house.executor.ran == ["first"]
    assert job.failure is not None and job.failure.code == "prerequisite_failed"
    assert "the clip is of no use" in job.failure.message


async def test_a_job_that_waited_too_long_fails(house: House) -> None:
    house.ledger.add([Job("needed", "debug", {}, {}, "a", "d", created=9e9), Job("old", "debug", {}, {}, "a", "d")],
                     [("old", "needed")])
    house.scheduler.is_draining = True
    house.scheduler.expire()
    job = house.ledger.get("old")
    assert job is not None and job.failure is not None and job.failure.code == "deadline"
    assert house.ledger.get("needed").state is State.QUEUED  # type: ignore[union-attr]
