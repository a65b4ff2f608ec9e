# SPDX-License-Identifier: GPL-3.0-or-later
"""The scheduler: takes the next job from the ledger, has it run, and commits how it ended, with all that follows from it.

One attempt at a time. Whatever the executor reports, the ledger decides: a job that was asked to stop ends cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from server.blobs import BlobStore
from server.deadlines import limit_of
from server.errors import AthanorError, Deadline, JobCancelled, PrerequisiteFailed, StorageError, WorkerLost
from server.events import Events
from server.executors.base import Executor, Produced, StepReport, Task
from server.jobs import Event, Failure, Job, State
from server.ledger import Ledger, ResultRow
from server.palette import Palette
from server.settings import Settings
from server.telemetry import Counters

_RETRY_STORAGE_S = 0.5
_LAST_WORDS_S = 5.0
_DEAF_PHASES = frozenset({"", "starting", "loading", "encoding", "decoding", "storing"})
_ADAPTER = "adapter"


class Scheduler:
    """Runs the queue on one executor."""

    def __init__(
        self, settings: Settings, ledger: Ledger, store: BlobStore, palette: Palette, executor: Executor, events: Events,
        counters: Counters, log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._settings, self._ledger, self._store, self._palette = settings, ledger, store, palette
        self._executor, self._events, self._counters, self._log = executor, events, counters, log
        self._news = asyncio.Event()
        self._runner: asyncio.Task[Sequence[Produced]] | None = None
        self._running: Job | None = None
        self._phase = ""
        self._stopping: set[asyncio.Task[None]] = set()
        self._is_released = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.is_draining = False

    def wake(self) -> None:
        """There may be something to run."""
        self._news.set()

    async def run(self) -> None:
        """Until draining and idle."""
        while not self.is_draining:
            incarnation = await self._executor.ready()
            self._news.clear()
            try:
                job = None if self.is_draining else self._ledger.claim(incarnation)
            except StorageError as error:
                self._log.error("nothing can be started", error=error.message)
                await asyncio.sleep(_RETRY_STORAGE_S)
                continue
            if job is not None:
                await self._attempt(job)
            elif not self.is_draining:
                await self._news.wait()

    async def drain(self, patience_s: float) -> None:
        """Start nothing more; give the running job `patience_s` to finish, else put it back at no cost to it.

        Returns when its outcome is written down, or cannot be for lack of room: the next start then counts it as lost.
        """
        self.is_draining = True
        self.wake()
        if self._runner is not None:
            await asyncio.wait({self._runner}, timeout=patience_s)
            if self._running is not None and self._runner is not None and not self._runner.done():
                self._is_released = True
                await self._halt(self._running.id, self._runner)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), _LAST_WORDS_S)

    def cancel(self, job_id: str) -> tuple[Job, str]:
        """Ask for a job's end; returns it and what becomes of it: cancelled, cancelling or already_finished.

        Raises:
            StorageError: no such job, or the wish could not be written down.
        """
        job = self._ledger.get(job_id)
        if job is None:
            raise StorageError(f"there is no job {job_id}.", code="unknown_job", retryable=False)
        if job.is_terminal:
            return job, "already_finished"
        if job.cancel_requested:
            return job, "cancelling"
        job = self._ledger.record(job_id, Event.ASK_CANCEL)
        self._counters.add("cancels")
        if job.is_terminal:
            self._after_end(job)
            return job, "cancelled"
        self._events.changed(job)
        if self._running is not None and self._running.id == job_id and self._runner is not None:
            task = asyncio.create_task(self._halt(job_id, self._runner), name=f"halt {job_id}")
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)
        return job, "cancelling"

    def expire(self) -> None:
        """Fail what has waited in the queue for too long."""
        oldest = time.time() - self._settings.queued_limit_s
        for job in self._ledger.in_state(State.QUEUED):
            if job.created < oldest:
                hours = self._settings.queued_limit_s / 3600
                self._fail_queued(job, Deadline(f"the job waited for more than {hours:.0f} hours. Submit it again."))

    async def _attempt(self, job: Job) -> None:
        """Run one attempt and commit its outcome."""
        self._phase, self._running, self._is_released = "", job, False
        self._idle.clear()
        self._events.changed(job)
        self._log.info("attempt begins", job=job.id, kind=job.kind, attempt=job.attempt, incarnation=job.incarnation)
        task = Task(job.id, job.attempt, job.kind, job.options,
                    {role: self._store.path(digest) for role, digest in job.inputs.items()}, job.inputs)
        self._runner = asyncio.create_task(self._executor.run(task, self._on_step), name=f"job {job.id}")
        limit_s = self._settings.deadline_s or await asyncio.to_thread(limit_of, task, self._settings.home)
        await asyncio.wait({self._runner}, timeout=limit_s)
        is_late = not self._runner.done()
        if is_late:
            await self._halt(job.id, self._runner)
        await asyncio.wait({self._runner})
        runner, self._runner = self._runner, None
        await self._conclude(job, runner, limit_s if is_late else None)
        self._running = None
        self._idle.set()

    def _on_step(self, report: StepReport) -> None:
        if self._running is not None:
            self._phase = report.phase
            self._events.step(self._running.id, report)

    async def _halt(self, job_id: str, runner: asyncio.Task[Sequence[Produced]]) -> None:
        """Ask the attempt to stop, and kill it if it has not after a grace."""
        await self._executor.cancel(job_id, hard=False)
        settings = self._settings
        grace_s = (settings.cancel_grace_busy_s if self._phase in _DEAF_PHASES else
                   max(settings.cancel_grace_s, 3 * self._executor.median_step_s()))
        await asyncio.wait({runner}, timeout=grace_s)
        if not runner.done():
            self._counters.add("cancel_kills")
            await self._executor.cancel(job_id, hard=True)
            await asyncio.wait({runner})

    async def _conclude(
        self, job: Job, runner: asyncio.Task[Sequence[Produced]], late_s: float | None
    ) -> None:
        """Write down how an attempt ended, however long the disk takes to allow it."""
        event, failure, produced = self._read_outcome(runner, late_s)
        while True:
            try:
                ended = self._commit(job, event, failure, produced)
                break
            except AthanorError as error:
                self._log.error("an outcome cannot be stored", job=job.id, error=error.message)
                if event is Event.SUCCEED:
                    event, failure, produced = Event.FAIL, _failure(error), []
                else:
                    await asyncio.sleep(_RETRY_STORAGE_S)
        self._store.clear_incoming(f"{job.incarnation}-{job.id}-{job.attempt}-")
        self._log.info("attempt ended", job=job.id, attempt=job.attempt, outcome=event, state=ended.state,
                       code=failure.code if failure else None)
        self._after_end(ended)

    def _read_outcome(
        self, runner: asyncio.Task[Sequence[Produced]], late_s: float | None
    ) -> tuple[Event, Failure | None, Sequence[Produced]]:
        error = runner.exception()
        if error is None:
            return Event.SUCCEED, None, runner.result()
        if not isinstance(error, AthanorError):
            raise error
        if self._is_released:
            return Event.RELEASE, None, []
        if late_s is not None:
            return Event.FAIL, _failure(Deadline(f"the job ran for more than {late_s:g} s, which is what its kind allows. "
                                                 "Use fewer steps or a shorter clip.")), []
        if isinstance(error, JobCancelled):
            return Event.CANCEL, None, []
        return Event.LOSE if isinstance(error, WorkerLost) else Event.FAIL, _failure(error), []

    def _commit(self, job: Job, event: Event, failure: Failure | None, produced: Sequence[Produced]) -> Job:
        """Results into their places, then one transaction for the rest. No step in between waits for anything."""
        now = self._ledger.get(job.id)
        assert now is not None
        if event is not Event.SUCCEED or now.cancel_requested:
            return self._ledger.record(job.id, Event.CANCEL if now.cancel_requested else event, failure=failure)
        moved: list[str] = []
        try:
            self._install(job, produced)
            for one in produced:
                self._store.adopt(one.file, one.digest)
                moved.append(one.digest)
            rows = [ResultRow(one.role, one.name, one.digest, one.bytes, one.media, one.provenance) for one in produced]
            return self._ledger.record(job.id, Event.SUCCEED, results=rows)
        except AthanorError:
            for digest in moved:
                if self._store.size(digest) is None:
                    self._store.path(digest).unlink(missing_ok=True)
            raise

    def _install(self, job: Job, produced: Sequence[Produced]) -> None:
        """A learned adapter becomes a palette entry before its job is called done: whoever waits for the job finds it."""
        for one in produced:
            if one.role == _ADAPTER:
                self._palette.install(str(job.options["name"]), Path(one.file), replace=True)

    def _after_end(self, job: Job) -> None:
        """Tell of the change, and carry it on to the jobs that wait for this one and those it waited for."""
        self._events.changed(job)
        self._counters.add(f"jobs_{job.state}")
        if job.state in (State.FAILED, State.CANCELLED):
            for dependant in self._ledger.dependants(job.id):
                self._fail_queued(dependant, _prerequisite_failed(job))
            for needed in self._ledger.needed_by(job.id):
                if needed.automatic and not needed.is_terminal and not self._ledger.dependants(needed.id):
                    with contextlib.suppress(StorageError):
                        self.cancel(needed.id)
        self.wake()

    def _fail_queued(self, job: Job, error: AthanorError) -> None:
        self._after_end(self._ledger.record(job.id, Event.FAIL, failure=_failure(error)))


def _failure(error: AthanorError) -> Failure:
    return Failure(**error.to_wire(), detail="\n".join(getattr(error, "__notes__", [])) or None)


def _prerequisite_failed(needed: Job) -> PrerequisiteFailed:
    how = f"failed: {needed.failure.message}" if needed.failure else "was cancelled."
    return PrerequisiteFailed(f"the {needed.kind} job {needed.id} that this one waited for {how}")
