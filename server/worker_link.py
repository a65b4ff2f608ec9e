# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's second thread: owns the socket, beats, hears cancels, and forwards what the main thread says.

Sockets are never shared between threads. The main thread speaks through an inproc pair of its own; what it says keeps its
order. The beat tells how long ago the job last made a step, so that the front end can tell slow from stuck.
"""

from __future__ import annotations

import queue
import statistics
import threading
import time
from collections import deque
from collections.abc import Sequence

import psutil
import zmq
from pydantic import BaseModel

from server import link
from server.auth import KeyPair, keep_alive, present
from server.errors import AthanorError, JobCancelled
from server.methods.context import Progress

_SAY_EVERY_S = 0.05
_UNSTEPPED = frozenset({"loading", "encoding", "decoding", "storing"})  # long phases that cannot be cut into steps
_INPROC = "inproc://main"


class _Pace:
    """Where the running attempt is and how fast it goes. Written by the main thread, read by the other."""

    def __init__(self, stall_s: float, first_step_s: float) -> None:
        self._stall_s, self._first_step_s = stall_s, first_step_s
        self._lock = threading.Lock()
        self.job: tuple[str, int] | None = None
        self._progress = Progress(0, 0, "starting")
        self._since = time.monotonic()
        self._durations: deque[float] = deque(maxlen=50)

    def begin(self, job: tuple[str, int] | None) -> None:
        with self._lock:
            self.job, self._progress, self._since = job, Progress(0, 0, "starting"), time.monotonic()
            self._durations.clear()

    def advance(self, progress: Progress) -> bool:
        """Note a step; returns whether the phase changed."""
        now = time.monotonic()
        with self._lock:
            is_new_phase = progress.phase != self._progress.phase
            if is_new_phase:
                self._durations.clear()
            else:
                self._durations.append(now - self._since)
            self._progress, self._since = progress, now
        return is_new_phase

    def beat(self) -> dict[str, object]:
        """The beat's fields about the job."""
        with self._lock:
            if self.job is None:
                return {}
            median_s = statistics.median(self._durations) if self._durations else 0.0
            is_stepping = len(self._durations) >= 3 and self._progress.phase not in _UNSTEPPED
            budget_s = max(self._stall_s, 20 * median_s) if is_stepping else self._first_step_s
            return {"job_id": self.job[0], "attempt": self.job[1], "phase": self._progress.phase,
                    "step": self._progress.step, "n_steps": self._progress.n_steps,
                    "age_s": time.monotonic() - self._since, "budget_s": budget_s, "median_step_s": median_s}


class Line:
    """The worker's line to the front end. `start` begins the thread; all other methods are the main thread's."""

    def __init__(self, bootstrap: link.Bootstrap) -> None:
        self._bootstrap = bootstrap
        self._orders: queue.Queue[link.Run | link.Model | link.Stop] = queue.Queue()
        self._pace = _Pace(bootstrap.stall_s, bootstrap.first_step_s)
        self._cancelled: set[tuple[str, int]] = set()
        self._models: tuple[list[link.Loaded], str | None] = ([], None)
        self._said = 0.0
        self._process = psutil.Process()
        self._context = zmq.Context()
        self._inside = self._context.socket(zmq.PAIR)
        self._inside.bind(_INPROC)
        self._thread = threading.Thread(target=self._talk, name="link", daemon=True)

    def start(self) -> None:
        """Connect and say that the worker is ready."""
        self._thread.start()

    def next_order(self, timeout_s: float | None = None) -> link.Run | link.Model | link.Stop | None:
        """What to do next; None if nothing came in time."""
        try:
            return self._orders.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def begin(self, job_id: str, attempt: int) -> None:
        """From now on beats tell of this attempt."""
        self._pace.begin((job_id, attempt))

    def on_step(self, progress: Progress) -> None:
        """What a method calls before each step.

        Raises:
            JobCancelled: the front end asked for it.
        """
        job = self._pace.job
        assert job is not None
        is_new_phase = self._pace.advance(progress)
        if job in self._cancelled:
            raise JobCancelled("the job was cancelled.")
        now = time.monotonic()
        if is_new_phase or progress.step == progress.n_steps or now - self._said >= _SAY_EVERY_S:
            self._said = now
            self._say(link.Step(incarnation=self._bootstrap.incarnation, job_id=job[0], attempt=job[1],
                                phase=progress.phase, step=progress.step, n_steps=progress.n_steps))

    def end(self, ending: link.OfAttempt) -> None:
        """Say how the attempt ended."""
        self._pace.begin(None)
        self._say(ending)

    def tell_models(self, resident: Sequence[link.Loaded], device: str | None = None) -> None:
        """What the next beats say about loaded models; without a device, the one last told."""
        self._models = (list(resident), device or self._models[1])

    def modelled(self, order: link.Model, error: AthanorError | None) -> None:
        """Say what became of an order about a model."""
        self._say(link.Modelled(incarnation=self._bootstrap.incarnation, action=order.action, name=order.name,
                                error=error.to_wire() if error else None, resident=self._models[0]))

    def close(self) -> None:
        """Send what is left and end the thread."""
        self._inside.send(b"")
        self._thread.join()
        self._inside.close()
        self._context.term()

    def _say(self, word: BaseModel) -> None:
        self._inside.send(link.encode(word))

    def _talk(self) -> None:
        outside = self._context.socket(zmq.DEALER)
        present(outside, KeyPair(self._bootstrap.public, self._bootstrap.secret), self._bootstrap.server_key)
        keep_alive(outside)
        outside.linger = 1000
        outside.connect(self._bootstrap.endpoint)
        inside = self._context.socket(zmq.PAIR)
        inside.connect(_INPROC)
        poller = zmq.Poller()
        poller.register(outside, zmq.POLLIN)
        poller.register(inside, zmq.POLLIN)
        outside.send(link.encode(link.Ready(incarnation=self._bootstrap.incarnation, pid=self._process.pid)))
        next_beat = time.monotonic()
        while True:
            wait_s = max(0.0, next_beat - time.monotonic())
            ready = dict(poller.poll(wait_s * 1000))
            if inside in ready:
                frame = inside.recv()
                if not frame:
                    break
                outside.send(frame)
            if outside in ready:
                self._hear(link.parse_order(outside.recv()))
            if time.monotonic() >= next_beat:
                next_beat = time.monotonic() + self._bootstrap.heartbeat_s
                outside.send(link.encode(self._beat()))
        inside.close()
        outside.close()

    def _hear(self, order: link.Run | link.Cancel | link.Model | link.Stop) -> None:
        if isinstance(order, link.Cancel):
            self._cancelled.add((order.job_id, order.attempt))
        else:
            self._orders.put(order)

    def _beat(self) -> link.Beat:
        resident, device = self._models
        return link.Beat(  # type: ignore[arg-type]
            incarnation=self._bootstrap.incarnation, rss_bytes=self._process.memory_info().rss, resident=resident,
            device=device, **self._pace.beat())
