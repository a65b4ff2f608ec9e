# SPDX-License-Identifier: GPL-3.0-or-later
"""The local executor: keeps one worker process alive, gives it one attempt at a time, and believes only the living.

Each incarnation of the worker has its own socket, keys and name. Three questions have three answers: whether the process
lives (its exit), whether it is responsive (a beat every second, from a thread of its own), whether the job advances (the
age of its last step, told in the beat, against the budget of its phase).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog
import zmq
import zmq.asyncio

from server import link
from server.auth import WORKERS, Doorkeeper, KeyPair, guard, keep_alive
from server.errors import AthanorError, JobCancelled, ProtocolError, WorkerLost, from_wire
from server.executors.base import ExecutorState, LoadedModel, Produced, StepReport, Task
from server.pins import Pins
from server.settings import Settings
from server.supervisor import Backoff, WorkerProcess
from server.telemetry import Counters


@dataclass
class _Attempt:
    """The attempt that runs now."""

    task: Task
    on_step: Callable[[StepReport], None]
    outcome: asyncio.Future[Sequence[Produced]]
    median_step_s: float = 0.0


@dataclass
class _Incarnation:
    """One life of the worker."""

    name: str
    process: WorkerProcess
    socket: zmq.asyncio.Socket
    heard: float = field(default_factory=time.monotonic)
    is_ready: bool = False
    killed_for: str | None = None
    beat: link.Beat | None = None


class LocalExecutor:
    """See `Executor`. `generation` tells incarnations of different server starts apart."""

    def __init__(
        self,
        settings: Settings,
        context: zmq.asyncio.Context,
        doorkeeper: Doorkeeper,
        generation: int,
        counters: Counters,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._settings, self._context, self._doorkeeper = settings, context, doorkeeper
        self._generation, self._counters, self._log = generation, counters, log
        self._backoff = Backoff(settings.restart_first_s, settings.restart_last_s, settings.stable_s,
                                settings.failed_starts, settings.failed_starts_window_s)
        self._starts = 0
        self._worker: _Incarnation | None = None
        self._attempt: _Attempt | None = None
        self._asked: dict[tuple[str, str], asyncio.Future[None]] = {}
        self._is_ready = asyncio.Event()
        self._stopping = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._last_failure: str | None = None

    async def start(self) -> None:
        """Begin to keep a worker alive."""
        self._keeper = asyncio.create_task(self._keep_alive(), name="worker keeper")

    async def ready(self) -> str:
        """Wait for a worker that can take a job; returns its incarnation."""
        await self._is_ready.wait()
        assert self._worker is not None
        return self._worker.name

    async def run(self, task: Task, on_step: Callable[[StepReport], None]) -> Sequence[Produced]:
        """See `Executor.run`."""
        assert self._attempt is None, "one attempt at a time"
        worker = self._worker
        if worker is None or not worker.is_ready:
            raise WorkerLost("the worker died before the job reached it.")
        self._attempt = _Attempt(task, on_step, asyncio.get_running_loop().create_future())
        order = link.Run(job_id=task.job_id, attempt=task.attempt, kind=task.kind, options=dict(task.options),
                         inputs={role: str(path) for role, path in task.inputs.items()}, digests=dict(task.digests))
        try:
            if not self._tell(worker, order):
                raise WorkerLost("the worker could not be reached.")
            return await self._attempt.outcome
        finally:
            self._attempt = None

    async def cancel(self, job_id: str, *, hard: bool) -> None:
        """See `Executor.cancel`; does nothing if the job no longer runs."""
        attempt, worker = self._attempt, self._worker
        if attempt is None or attempt.task.job_id != job_id or worker is None:
            return
        if hard:
            self._kill(worker, "it did not stop when the job was cancelled")
        else:
            self._tell(worker, link.Cancel(job_id=job_id, attempt=attempt.task.attempt))

    async def model(self, action: str, name: str) -> None:
        """See `Executor.model`."""
        if self._backoff.is_degraded(time.monotonic()):
            raise WorkerLost("no worker can be started, so no model is loaded; `athanor doctor` says why.")
        await self.ready()
        worker, asked = self._worker, (action, name)
        if asked not in self._asked:
            if worker is None or not self._tell(worker, link.Model(action=action, name=name)):
                raise WorkerLost("the worker could not be reached.")
            self._asked[asked] = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._asked[asked])

    def median_step_s(self) -> float:
        """See `Executor.median_step_s`."""
        return self._attempt.median_step_s if self._attempt else 0.0

    def state(self) -> ExecutorState:
        """See `Executor.state`."""
        worker = self._worker
        common = {"restarts": max(0, self._starts - 1), "fenced": self._counters.snapshot().get("fenced", 0),
                  "last_failure": self._last_failure}
        if self._backoff.is_degraded(time.monotonic()):
            return ExecutorState("degraded", **common)
        if worker is None:
            return ExecutorState("stopped" if self._stopping.is_set() else "starting", **common)
        beat = worker.beat
        name = "busy" if self._attempt else "ready" if worker.is_ready else "starting"
        return ExecutorState(name, worker.name, worker.process.pid, rss_bytes=beat.rss_bytes if beat else 0,
                             resident=_loaded(beat.resident) if beat else (),
                             device=beat.device if beat else None, **common)

    async def stop(self, grace_s: float) -> None:
        """Ask the worker to end, terminate it at half the grace, kill it at the end of it."""
        self._stopping.set()
        worker = self._worker
        if worker is not None:
            self._tell(worker, link.Stop())
            for end in (worker.process.terminate, worker.process.kill):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(worker.process.wait(), grace_s / 2)
                    break
                end()
            await worker.process.wait()
        if self._keeper is not None:
            await self._keeper

    async def _keep_alive(self) -> None:
        """Start a worker, live with it until it ends, wait, again."""
        while not self._stopping.is_set():
            lived_s, was_ready = await self._live()
            if not self._stopping.is_set():
                wait_s = self._backoff.ended(lived_s=lived_s, was_ready=was_ready, now=time.monotonic())
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), wait_s)

    async def _live(self) -> tuple[float, bool]:
        """One life of the worker; returns its length in seconds and whether it was ever ready."""
        try:
            worker = self._spawn()
        except OSError as error:
            self._last_failure = f"no process could be started ({error.strerror})"
            return 0.0, False
        listener = asyncio.create_task(self._listen(worker), name="worker listener")
        watcher = asyncio.create_task(self._watch(worker), name="worker watcher")
        await worker.process.wait()
        for task in (listener, watcher):
            task.cancel()
        await asyncio.gather(listener, watcher, return_exceptions=True)
        self._bury(worker)
        return time.monotonic() - worker.process.started, worker.is_ready

    def _spawn(self) -> _Incarnation:
        self._starts += 1
        name = f"{self._generation}.{self._starts}"
        ours, theirs = KeyPair.new(), KeyPair.new()
        socket = self._context.socket(zmq.DEALER)
        guard(socket, ours, WORKERS)
        keep_alive(socket)
        socket.linger = 0
        self._doorkeeper.allow(WORKERS, theirs.public)
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        s = self._settings
        bootstrap = link.Bootstrap(
            endpoint=f"tcp://127.0.0.1:{port}", server_key=ours.public, public=theirs.public, secret=theirs.secret,
            incarnation=name, parent_pid=os.getpid(), incoming=str(s.paths.blobs / "incoming"),
            palette=str(s.paths.palette), home=str(s.home), heartbeat_s=s.heartbeat_s, stall_s=s.stall_s,
            first_step_s=s.first_step_s, warm=s.warm, pins=Pins(s.paths.pins).names(), idle_unload_s=s.idle_unload_s)
        process = WorkerProcess(link.encode(bootstrap), lambda line: self._log.warning("worker says", line=line))
        self._worker = _Incarnation(name, process, socket)
        self._worker_key = theirs.public
        self._log.info("worker started", incarnation=name, worker_pid=process.pid)
        return self._worker

    def _bury(self, worker: _Incarnation) -> None:
        """The process has ended: nothing it said counts any more, and the attempt it had is lost."""
        self._is_ready.clear()
        self._worker = None
        self._doorkeeper.disallow(WORKERS, self._worker_key)
        worker.socket.close(linger=0)
        worker.process.close()
        how = worker.process.how_it_ended()
        reason = f"{how}, because {worker.killed_for}" if worker.killed_for else how
        if not self._stopping.is_set():
            self._last_failure = reason
            self._counters.add("worker_restarts")
            self._log.warning("worker ended", incarnation=worker.name, reason=reason)
        code = "worker_stalled" if worker.killed_for else "worker_crashed"
        error = WorkerLost(f"{reason}.", code=code)
        error.add_note(worker.process.tail())
        self._settle(error)
        for asked in list(self._asked):
            self._modelled(asked, error)

    def _settle(self, outcome: AthanorError | Sequence[Produced]) -> None:
        if self._attempt is None or self._attempt.outcome.done():
            return
        if isinstance(outcome, AthanorError):
            self._attempt.outcome.set_exception(outcome)
        else:
            self._attempt.outcome.set_result(outcome)

    def _modelled(self, asked: tuple[str, str], error: AthanorError | None) -> None:
        future = self._asked.pop(asked, None)
        if future is None or future.done():
            return
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
            future.exception()  # whoever asked may have gone

    def _tell(self, worker: _Incarnation, order: link.Run | link.Cancel | link.Model | link.Stop) -> bool:
        """Send without waiting; false if the worker is not there to hear it."""
        return worker.socket.send(link.encode(order), flags=zmq.DONTWAIT).exception() is None

    def _kill(self, worker: _Incarnation, reason: str) -> None:
        if worker.killed_for is None:
            worker.killed_for = reason
            worker.process.kill()

    async def _watch(self, worker: _Incarnation) -> None:
        """Kill a worker that never becomes ready or falls silent."""
        while True:
            limit_s = self._settings.worker_silent_s if worker.is_ready else self._settings.worker_start_s
            silent_s = time.monotonic() - worker.heard
            if silent_s >= limit_s:
                self._kill(worker, f"it was silent for {limit_s:g} s")
                return
            await asyncio.sleep(min(limit_s - silent_s, 1.0) + 0.01)

    async def _listen(self, worker: _Incarnation) -> None:
        while True:
            frame = await worker.socket.recv()
            worker.heard = time.monotonic()
            try:
                word = link.parse_word(frame)
            except ProtocolError as error:
                self._counters.add("link_errors")
                self._log.warning("unknown word from worker", error=error.message)
                continue
            if word.incarnation != worker.name:
                self._fence(word)
            elif isinstance(word, link.Ready):
                worker.is_ready = True
                self._backoff.started()
                self._is_ready.set()
            elif isinstance(word, link.Beat):
                self._on_beat(worker, word)
            elif isinstance(word, link.Modelled):
                if worker.beat:  # what is loaded is known at once, not only with the next beat
                    worker.beat = worker.beat.model_copy(update={"resident": word.resident})
                self._modelled((word.action, word.name), from_wire(word.error) if word.error else None)
            else:
                self._on_word(word)

    def _on_beat(self, worker: _Incarnation, beat: link.Beat) -> None:
        worker.beat = beat
        if beat.job_id is None or not self._is_current(beat.job_id, beat.attempt):
            return
        assert self._attempt is not None
        self._attempt.median_step_s = beat.median_step_s
        if beat.phase:
            self._attempt.on_step(StepReport(beat.phase, beat.step, beat.n_steps))
        if beat.age_s > beat.budget_s:
            self._kill(worker, f"the job made no step for {beat.age_s:.0f} s in phase {beat.phase or 'starting'} (at most "
                               f"{beat.budget_s:.0f} s are given)")

    def _on_word(self, word: link.OfAttempt) -> None:
        if not self._is_current(word.job_id, word.attempt):
            self._fence(word)
            return
        assert self._attempt is not None
        match word:
            case link.Step():
                self._attempt.on_step(StepReport(word.phase, word.step, word.n_steps))
            case link.Done():
                self._settle([Produced(p.role, p.name, Path(p.file), p.digest, p.bytes, p.media, p.provenance)
                              for p in word.products])
            case link.Stopped():
                self._settle(JobCancelled("the job was cancelled."))
            case link.Failed():
                error = from_wire({"code": word.code, "message": word.message, "retryable": word.retryable})
                if word.detail:
                    error.add_note(word.detail)
                self._settle(error)

    def _is_current(self, job_id: str, attempt: int) -> bool:
        current = self._attempt
        return current is not None and (current.task.job_id, current.task.attempt) == (job_id, attempt)

    def _fence(self, word: object) -> None:
        self._counters.add("fenced")
        self._log.info("late word dropped", word=type(word).__name__)


def _loaded(models: Sequence[link.Loaded]) -> tuple[LoadedModel, ...]:
    return tuple(LoadedModel(model.name, model.device, model.bytes, model.pinned) for model in models)
