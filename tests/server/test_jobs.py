# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools

import pytest

from server.jobs import TERMINAL, Event, Failure, InvalidTransition, Job, State, transition

CAUSE = Failure("worker_crashed", "gone", True)
LEGAL = {  # (state, event, flagged, attempts left) -> state after
    (State.QUEUED, Event.CLAIM): State.RUNNING,
    (State.QUEUED, Event.FAIL): State.FAILED,
    (State.QUEUED, Event.ASK_CANCEL): State.CANCELLED,
    (State.RUNNING, Event.ASK_CANCEL): State.RUNNING,
    (State.RUNNING, Event.SUCCEED): State.SUCCEEDED,
    (State.RUNNING, Event.FAIL): State.FAILED,
    (State.RUNNING, Event.LOSE): State.QUEUED,
    (State.RUNNING, Event.RELEASE): State.QUEUED,
    (State.RUNNING, Event.CANCEL): State.CANCELLED,
    (State.SUCCEEDED, Event.LOSE_RESULT): State.FAILED,
}


def job(state: State, **fields) -> Job:
    return Job("0" * 32, "debug", {}, {}, "test", "d", state=state, attempt=int(state is State.RUNNING), **fields)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair_is_legal_or_refused_with_its_story(state: State, event: Event) -> None:
    before = job(state)
    if (state, event) in LEGAL:
        assert transition(before, event, at=1.0, failure=CAUSE).state is LEGAL[state, event]
    else:
        with pytest.raises(InvalidTransition, match="Story: one; two") as refused:
            transition(before, event, at=1.0, story=["one", "two"])
        assert (refused.value.job_id, refused.value.state, refused.value.event) == (before.id, state, event)


@pytest.mark.parametrize("event", [Event.SUCCEED, Event.FAIL, Event.LOSE, Event.RELEASE, Event.CANCEL])
def test_a_flagged_job_ends_cancelled_whatever_its_worker_says(event: Event) -> None:
    after = transition(job(State.RUNNING, cancel_requested=True), event, at=5.0, failure=CAUSE)
    assert (after.state, after.finished, after.failure) == (State.CANCELLED, 5.0, None)


def test_attempts_are_counted_and_the_last_one_fails() -> None:
    one = transition(job(State.QUEUED), Event.CLAIM, at=1.0, incarnation="1.1")
    again = transition(one, Event.LOSE, at=2.0, failure=CAUSE)
    assert (one.attempt, one.incarnation, again.state, again.failure) == (1, "1.1", State.QUEUED, CAUSE)
    two = transition(again, Event.CLAIM, at=3.0, incarnation="1.2")
    assert (two.attempt, two.started) == (2, 1.0)
    lost = transition(two, Event.LOSE, at=4.0, failure=CAUSE)
    assert (lost.state, lost.failure, lost.finished) == (State.FAILED, CAUSE, 4.0)


def test_a_released_attempt_costs_nothing() -> None:
    running = transition(job(State.QUEUED), Event.CLAIM, at=1.0)
    assert transition(running, Event.RELEASE, at=2.0).attempt == 0


def test_success_forgets_the_cause_of_an_earlier_attempt() -> None:
    running = job(State.RUNNING, failure=CAUSE)
    assert transition(running, Event.SUCCEED, at=2.0).failure is None


def test_terminal_states() -> None:
    assert {state for state in State if job(state).is_terminal} == TERMINAL
