# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio

from server.supervisor import Backoff, WorkerProcess


def backoff() -> Backoff:
    return Backoff(first_s=0.5, last_s=30.0, stable_s=60.0, failed_starts=5, window_s=600.0)


def test_the_wait_doubles_up_to_its_limit_and_starts_over_after_a_stable_life() -> None:
    one = backoff()
    waits = [one.ended(lived_s=1.0, was_ready=True, now=float(n)) for n in range(8)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert one.ended(lived_s=60.0, was_ready=True, now=9.0) == 0.5


def test_five_failed_starts_in_ten_minutes_are_hopeless_until_one_succeeds() -> None:
    one = backoff()
    for n in range(5):
        assert not one.is_degraded(n)
        one.ended(lived_s=0.1, was_ready=False, now=float(n))
    assert one.is_degraded(5.0)
    assert not one.is_degraded(601.0), "old failures are forgotten"
    for n in range(5):
        one.ended(lived_s=0.1, was_ready=False, now=700.0 + n)
    one.started()
    assert not one.is_degraded(705.0)


def test_crashes_of_a_worker_that_was_ready_do_not_degrade() -> None:
    one = backoff()
    for n in range(20):
        one.ended(lived_s=0.1, was_ready=True, now=float(n))
    assert not one.is_degraded(20.0)


async def test_a_process_that_cannot_start_tells_its_end_and_its_last_words() -> None:
    heard: list[str] = []
    process = WorkerProcess(b"this is no bootstrap", heard.append)
    await asyncio.wait_for(process.wait(), 30)
    process.close()
    assert process.has_ended
    assert "exited with status 1" in process.how_it_ended()
    assert "Bootstrap" in process.tail() and process.tail() == "\n".join(heard[-50:])
