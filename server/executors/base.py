# SPDX-License-Identifier: GPL-3.0-or-later
"""Executor: the one interface to whatever runs a job. It executes; ledger, queue, admission and retries are not its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Task:
    """One attempt at one job. `inputs` are files by role, `digests` their SHA-256."""

    job_id: str
    attempt: int
    kind: str
    options: Mapping[str, Any]
    inputs: Mapping[str, Path]
    digests: Mapping[str, str]


@dataclass(frozen=True)
class StepReport:
    """How far an attempt is."""

    phase: str
    step: int
    n_steps: int


@dataclass(frozen=True)
class Produced:
    """One result as an executor hands it over: a durable file in the store's incoming folder, ready to be renamed."""

    role: str
    name: str
    file: Path
    digest: str
    bytes: int
    media: str
    provenance: Mapping[str, Any]


@dataclass(frozen=True)
class LoadedModel:
    """A model in an executor's memory: its weights' bytes, and whether it stays when nothing uses it."""

    name: str
    device: str
    bytes: int
    pinned: bool


@dataclass(frozen=True)
class ExecutorState:
    """What `server.stats` and `models` tell of an executor. state: starting, ready, busy, degraded or stopped."""

    state: str
    incarnation: str | None = None
    pid: int | None = None
    restarts: int = 0
    fenced: int = 0
    rss_bytes: int = 0
    resident: Sequence[LoadedModel] = ()
    device: str | None = None
    last_failure: str | None = field(default=None)


class Executor(Protocol):
    """Runs one job at a time."""

    async def start(self) -> None:
        """Begin to keep a worker alive; returns at once."""

    async def ready(self) -> str:
        """Wait until a job can be given; returns the incarnation that will run it."""

    async def run(self, task: Task, on_step: Callable[[StepReport], None]) -> Sequence[Produced]:
        """Run one attempt.

        Raises:
            WorkerLost: the worker died or stalled; the attempt is lost.
            JobCancelled: it stopped because it was asked to.
            AthanorError: any other: the job failed.
        """

    async def cancel(self, job_id: str, *, hard: bool) -> None:
        """Ask the running attempt to stop at its next step, or (hard) kill what runs it."""

    async def model(self, action: str, name: str) -> None:
        """Load, unload, pin or unpin a model, after the running job; asking twice at once is asking once.

        Raises:
            WorkerLost: what runs jobs is down.
            AthanorError: the model cannot be had, or must stay.
        """

    def median_step_s(self) -> float:
        """Median time between the steps of the running attempt, seconds; 0 before there are two."""

    def state(self) -> ExecutorState:
        """What is going on."""

    async def stop(self, grace_s: float) -> None:
        """End: ask, terminate at half the grace, kill at its end."""
