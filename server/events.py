# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress: what is known of each job now, and the XPUB socket that tells whoever listens.

Events are hints and may be lost; the ledger is the truth. A job's events are at most `event_rate_hz`, except that every
change of state or phase goes out at once. Whoever subscribes to a job is sent a snapshot on its topic, which also proves
that the subscription has arrived.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field

import zmq
import zmq.asyncio

from server.executors.base import StepReport
from server.jobs import Job, State
from server.ledger import Ledger
from server.protocol import SERVER_TOPIC, JobStatus, ResultRef, canonical_json, job_topic, topic_job
from server.settings import Settings
from server.telemetry import Counters

_SEQ_PER_GENERATION = 10**9
_REMEMBERED = 4096


@dataclass
class _Live:
    """What is known of a job beside its row."""

    report: StepReport = field(default_factory=lambda: StepReport("", 0, 0))
    phase_since: float = field(default_factory=time.monotonic)
    phase_first: int = 0
    count: int = 0
    sent: float = 0.0
    due: asyncio.TimerHandle | None = None


class Events:
    """Builds `JobStatus` and publishes it."""

    def __init__(self, ledger: Ledger, socket: zmq.asyncio.Socket, settings: Settings, counters: Counters, instance: str):
        self._ledger, self._socket, self._settings, self._counters = ledger, socket, settings, counters
        self._instance = instance
        self._live: OrderedDict[str, _Live] = OrderedDict()

    def status(self, job: Job, *, with_results: bool = True) -> JobStatus:
        """Everything about a job; without results where a broadcast or a long list does not need them."""
        live = self._live.get(job.id) or _Live()
        waiting_for = [needed.id for needed in self._ledger.needed_by(job.id) if needed.state is not State.SUCCEEDED]
        rows = self._ledger.results(job.id) if with_results and job.state is State.SUCCEEDED else []
        is_running = job.state is State.RUNNING
        return JobStatus(
            job_id=job.id, kind=job.kind, state=job.state, phase=_phase(job, live, bool(waiting_for)),
            step=live.report.step, n_steps=live.report.n_steps, eta_s=_eta_s(live) if is_running else None,
            attempt=job.attempt, seq=self._ledger.generation * _SEQ_PER_GENERATION + live.count,
            queue_position=self._ledger.position(job), waiting_for=waiting_for if not job.is_terminal else [],
            cancel_requested=job.cancel_requested, error=job.failure,
            results=[ResultRef(role=row.role, name=row.name, digest=row.digest, bytes=row.bytes, media=row.media,
                               provenance=dict(row.provenance)) for row in rows],
            created=job.created, started=job.started, finished=job.finished, origin=job.origin, number=job.number)

    def changed(self, job: Job) -> None:
        """The job's row changed: tell at once."""
        live = self._of(job.id)
        if job.state is State.QUEUED or (job.state is State.RUNNING and not job.cancel_requested):
            live.report, live.phase_since, live.phase_first = StepReport("", 0, 0), time.monotonic(), 0
        self._publish(job, live)

    def step(self, job_id: str, report: StepReport) -> None:
        """The worker reported progress: tell now if the phase changed, else when the rate allows."""
        live = self._of(job_id)
        if report == live.report:
            return
        is_new_phase = report.phase != live.report.phase
        if is_new_phase:
            live.phase_since, live.phase_first = time.monotonic(), report.step
        live.report = report
        wait_s = live.sent + 1 / self._settings.event_rate_hz - time.monotonic()
        if is_new_phase or wait_s <= 0:
            self._publish_by_id(job_id)
        elif live.due is None:
            live.due = asyncio.get_running_loop().call_later(wait_s, self._publish_by_id, job_id)

    async def serve_subscribers(self) -> None:
        """Read subscriptions and answer each with a snapshot. Also what lets the socket greet new connections."""
        while True:
            frame = await self._socket.recv()
            await asyncio.sleep(0)  # what has already come is received without yielding
            job_id = topic_job(frame[1:]) if frame[:1] == b"\x01" else None
            if job_id is not None:
                job = self._ledger.get(job_id)
                status = None if job is None else self.status(job, with_results=False).model_dump(mode="json")
                self._send(job_topic(job_id), {"type": "snapshot", "job_id": job_id, "status": status})

    async def pulse(self) -> None:
        """Say every `pulse_s` that the server lives."""
        while True:
            self._send(SERVER_TOPIC, {"type": "pulse", "instance": self._instance, "at": time.time()})
            await asyncio.sleep(self._settings.pulse_s)

    def _of(self, job_id: str) -> _Live:
        if job_id not in self._live and len(self._live) >= _REMEMBERED:
            self._live.popitem(last=False)
        live = self._live.setdefault(job_id, _Live())
        self._live.move_to_end(job_id)
        return live

    def _publish_by_id(self, job_id: str) -> None:
        job, live = self._ledger.get(job_id), self._live.get(job_id)
        if job is not None and live is not None and not job.is_terminal:
            self._publish(job, live)

    def _publish(self, job: Job, live: _Live) -> None:
        if live.due is not None:
            live.due.cancel()
            live.due = None
        live.sent = time.monotonic()
        live.count += 1
        status = self.status(job, with_results=False).model_dump(mode="json")
        self._send(job_topic(job.id), {"type": "status", "job_id": job.id, "status": status})

    def _send(self, topic: bytes, fields: dict[str, object]) -> None:
        sent = self._socket.send_multipart([topic, canonical_json(fields)], flags=zmq.DONTWAIT)
        if sent.exception() is not None:  # resolved at once: an XPUB drops rather than waits
            self._counters.add("events_dropped")


def _phase(job: Job, live: _Live, waits: bool) -> str:
    if job.state is State.QUEUED:
        return "waiting" if waits else "queued"
    if job.state is State.RUNNING:
        return "cancelling" if job.cancel_requested else live.report.phase or "starting"
    return ""


def _eta_s(live: _Live) -> float | None:
    done, left = live.report.step - live.phase_first, live.report.n_steps - live.report.step
    if done <= 0 or left < 0:
        return None
    return round((time.monotonic() - live.phase_since) / done * left, 2)
