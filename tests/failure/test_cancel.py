# SPDX-License-Identifier: GPL-3.0-or-later
"""Cancel at every moment of a job's life: it ends cancelled, stores nothing, and the worker is usable or replaced."""

from __future__ import annotations

import asyncio

import pytest
from harness import Server, ended, seen


async def test_a_queued_job_is_cancelled_at_once(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    running = await server.submit(client, steps=1000, step_s=0.05)
    queued = await server.submit(client, steps=1)
    status, outcome = await client.cancel(queued.job_id)
    assert (status.state, outcome) == ("cancelled", "cancelled")
    await client.cancel(running.job_id)
    assert (await ended(client, running.job_id)).state == "cancelled"


@pytest.mark.parametrize(("phase", "options", "is_replaced"), [
    ("sampling", {"steps": 1000, "step_s": 0.05}, False),
    ("loading", {"load_s": 600}, True),
    ("decoding", {"steps": 1, "decode_s": 600}, True),
    ("sampling", {"steps": 20000, "step_s": 0.05, "ignore_cancel": True}, True),
])
async def test_a_running_job_is_cancelled_in_any_phase(serve, phase: str, options: dict, is_replaced: bool) -> None:
    server: Server = await serve()
    client = await server.client()
    pid = await server.worker_pid(client)
    job = await server.submit(client, **options)
    await seen(client, job.job_id, lambda s: s.phase == phase, phase)
    _, outcome = await client.cancel(job.job_id)
    assert outcome == "cancelling"
    status = await ended(client, job.job_id)
    assert (status.state, status.results, status.error) == ("cancelled", [], None)
    after = await server.submit(client, steps=1)
    assert (await ended(client, after.job_id)).state == "succeeded"
    assert (await server.worker_pid(client) != pid) == is_replaced
    assert (await client.stats())["counters"].get("cancel_kills", 0) == int(is_replaced)


async def test_a_job_that_finishes_in_spite_of_its_cancel_stores_nothing(serve) -> None:
    server: Server = await serve(cancel_grace_s="20", cancel_grace_busy_s="20")
    client = await server.client()
    job = await server.submit(client, steps=20, step_s=0.05, ignore_cancel=True)
    await seen(client, job.job_id, lambda s: s.phase == "sampling", "sampling")
    await client.cancel(job.job_id)
    status = await ended(client, job.job_id)
    assert (status.state, status.results) == ("cancelled", [])


async def test_cancel_of_a_finished_job_changes_nothing(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    job = await server.submit(client, steps=1)
    done = await ended(client, job.job_id)
    status, outcome = await client.cancel(job.job_id)
    assert outcome == "already_finished"
    assert status == done


async def test_cancel_racing_completion_gives_one_end(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    ends = set()
    for number in range(60):
        job = await server.submit(client, steps=1, step_s=0.0005 * (number % 10), seconds=0.01)
        await asyncio.sleep(0.001 * (number % 20))
        await client.cancel(job.job_id)
        status = await ended(client, job.job_id)
        assert bool(status.results) == (status.state == "succeeded")
        ends.add(status.state)
    assert ends == {"cancelled", "succeeded"}, "the race must have been lost and won"


async def test_a_job_past_its_deadline_fails(serve) -> None:
    server: Server = await serve(deadline_s="0.5")
    client = await server.client()
    late = await server.submit(client, steps=10000, step_s=0.02)
    after = await server.submit(client, steps=1)
    status = await ended(client, late.job_id)
    assert status.state == "failed"
    assert status.error is not None and status.error.code == "deadline"
    assert (await ended(client, after.job_id)).state == "succeeded"
