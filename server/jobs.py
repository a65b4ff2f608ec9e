# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job is and how it may change: five states, one pure `transition`.

    queued ──claim──► running ──succeed──► succeeded
      ▲                 │ ├────fail──────► failed
      └──lose, release──┘ └────cancel────► cancelled

`lose` is an attempt whose worker died: back to the queue while attempts are left, else failed. `release` is an attempt
given back at shutdown, which costs none. Asking to cancel ends a queued job at once and flags a running one; a flagged
job ends `cancelled` whatever its worker still reports, so that a person who was told "cancelling" never meets a result.
Terminal states never change, with one exception: at start, a result file that has vanished turns success into failure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

MAX_ATTEMPTS = 2


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})


class Event(StrEnum):
    CLAIM = "claim"
    SUCCEED = "succeed"
    FAIL = "fail"
    LOSE = "lose"
    RELEASE = "release"
    ASK_CANCEL = "ask_cancel"
    CANCEL = "cancel"
    LOSE_RESULT = "lose_result"


@dataclass(frozen=True)
class Failure:
    """Why a job failed: stable code, sentence for people, whether trying again may help, what the worker last said."""

    code: str
    message: str
    retryable: bool = False
    detail: str | None = None


@dataclass(frozen=True)
class Job:
    """One row of the ledger.

    Attributes:
        number: order of acceptance.
        attempt: attempts begun so far; the current one while running.
        incarnation: of the worker that runs (or last ran) it.
        automatic: submitted by the server for another job's sake, not by a person.
        created, started, finished: Unix time, seconds.
    """

    id: str
    kind: str
    options: Mapping[str, Any]
    inputs: Mapping[str, str]
    origin: str
    request_digest: str
    priority: int = 0
    number: int = 0
    state: State = State.QUEUED
    cancel_requested: bool = False
    attempt: int = 0
    max_attempts: int = MAX_ATTEMPTS
    incarnation: str | None = None
    automatic: bool = False
    fetched: bool = False
    created: float = 0.0
    started: float | None = None
    finished: float | None = None
    failure: Failure | None = field(default=None)

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL


class InvalidTransition(Exception):
    """A change that the table does not know: a fault of ours, told with the job's story."""

    def __init__(self, job: Job, event: Event, story: Sequence[str] = ()) -> None:
        told = "; ".join(story) or "no story"
        super().__init__(f"job {job.id} is {job.state} (attempt {job.attempt}) and cannot {event}. Story: {told}")
        self.job_id = job.id
        self.state = job.state
        self.event = event
        self.story = tuple(story)


def transition(
    job: Job,
    event: Event,
    *,
    at: float,
    incarnation: str | None = None,
    failure: Failure | None = None,
    story: Sequence[str] = (),
) -> Job:
    """The job after `event`.

    Args:
        at: Unix time, seconds, of the change.
        incarnation: of the worker, with `claim`.
        failure: cause, with `fail`, `lose` and `lose_result`.
        story: earlier changes, for the error's text.

    Raises:
        InvalidTransition: the table has no such change.
    """
    match (job.state, event):
        case (State.QUEUED, Event.CLAIM):
            return replace(job, state=State.RUNNING, attempt=job.attempt + 1, incarnation=incarnation,
                           started=job.started if job.started is not None else at)
        case (State.QUEUED, Event.FAIL):
            return _ended(job, State.FAILED, at, failure)
        case (State.QUEUED, Event.ASK_CANCEL):
            return _ended(replace(job, cancel_requested=True), State.CANCELLED, at)
        case (State.RUNNING, Event.ASK_CANCEL):
            return replace(job, cancel_requested=True)
        case (State.RUNNING, Event.SUCCEED | Event.FAIL | Event.LOSE | Event.RELEASE | Event.CANCEL):
            return _after_attempt(job, event, at, failure)
        case (State.SUCCEEDED, Event.LOSE_RESULT):
            return replace(job, state=State.FAILED, failure=failure)
    raise InvalidTransition(job, event, story)


def _after_attempt(job: Job, event: Event, at: float, failure: Failure | None) -> Job:
    if job.cancel_requested or event is Event.CANCEL:
        return _ended(job, State.CANCELLED, at)
    if event is Event.SUCCEED:
        return _ended(job, State.SUCCEEDED, at)
    if event is Event.RELEASE:
        return replace(job, state=State.QUEUED, attempt=job.attempt - 1, incarnation=None)
    if event is Event.LOSE and job.attempt < job.max_attempts:
        return replace(job, state=State.QUEUED, incarnation=None, failure=failure)
    return _ended(job, State.FAILED, at, failure)


def _ended(job: Job, state: State, at: float, failure: Failure | None = None) -> Job:
    return replace(job, state=state, finished=at, failure=failure)
