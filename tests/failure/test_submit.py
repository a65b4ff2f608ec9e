# SPDX-License-Identifier: GPL-3.0-or-later
"""Submitting: the job id makes it idempotent, limits refuse early, jobs wait for the jobs they need."""

from __future__ import annotations

import asyncio

import pytest
from harness import Server, debug_job, ended, seen

from server.client import AsyncClient
from server.errors import InvalidInput, InvalidOption, RequestRefused
from server.protocol import JobRequest


async def test_one_submit_a_hundred_times_from_ten_connections_is_one_job(serve) -> None:
    server: Server = await serve()
    blocker = await server.client()
    await server.submit(blocker, steps=1000, step_s=0.05)
    request = debug_job(steps=1)
    clients = [await server.client() for _ in range(10)]
    replies = await asyncio.gather(*(client.submit(request) for client in clients for _ in range(10)))
    stable = [reply.model_copy(update={"seq": 0}) for reply in replies]
    assert all(reply == stable[0] for reply in stable)
    assert len(await blocker.jobs()) == 2


async def test_the_same_id_for_another_request_is_a_conflict(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    job = await server.submit(client, steps=2, seed=1)
    with pytest.raises(RequestRefused, match="another request|other options") as refused:
        await client.submit(debug_job(job_id=job.job_id, steps=3, seed=1))
    assert refused.value.code == "conflict"
    assert (await ended(client, job.job_id)).state == "succeeded"


async def test_more_than_the_limit_is_refused_as_busy(serve) -> None:
    server: Server = await serve(queued_limit="4", queued_limit_per_origin="2")
    client = await server.client()
    running = await server.submit(client, steps=1000, step_s=0.05)
    await seen(client, running.job_id, lambda s: s.state == "running", "running")
    for origin in ("a", "a", "b", "b"):
        await server.submit(client, origin=origin)
    with pytest.raises(RequestRefused, match="of 'a'|in all") as refused:
        await server.submit(client, origin="a")
    assert (refused.value.code, refused.value.retryable) == ("busy", True)
    with pytest.raises(RequestRefused, match="in all"):
        await server.submit(client, origin="c")
    await client.cancel(running.job_id)


async def test_origins_take_turns(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    first = await server.submit(client, steps=20, step_s=0.02, origin="greedy")
    greedy = [await server.submit(client, steps=1, origin="greedy") for _ in range(4)]
    modest = await server.submit(client, steps=1, origin="modest")
    done = [await ended(client, job.job_id) for job in (*greedy, modest, first)]
    assert done[4].started is not None and done[0].started is not None
    assert done[4].started < done[0].started


WRONG = [
    (debug_job(step=3), InvalidOption, "did you mean 'steps'"),
    (debug_job(steps=-1), InvalidOption, "steps"),
    (debug_job(inputs={"clip": "0" * 64}), RequestRefused, "Upload it first"),
    (debug_job(inputs={"clap": "0" * 64}), InvalidInput, "takes no input 'clap'"),
    (debug_job(after=["0" * 32]), RequestRefused, "no job"),
    (JobRequest(job_id="0" * 32, kind="fuze"), InvalidOption, "did you mean 'fuse'"),
    (JobRequest(job_id="0" * 32, kind="generate", options={"backbone": "embeded"}), InvalidOption, "embedded"),
    (JobRequest(job_id="0" * 32, kind="generate", options={"prompt": "x" * 10000}), InvalidOption, "10000 characters"),
]


async def test_wrong_requests_are_refused_with_their_reasons(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    for request, error, text in WRONG:
        with pytest.raises(error, match=text):
            await client.submit(request)
    assert await client.jobs() == []


async def test_a_job_waits_for_what_it_needs_and_fails_with_it(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    first = await server.submit(client, steps=10, step_s=0.03)
    second = await server.submit(client, steps=1, after=[first.job_id], priority=5)
    assert (second.phase, second.waiting_for) == ("waiting", [first.job_id])
    done = [await ended(client, job.job_id) for job in (first, second)]
    assert done[1].state == "succeeded"
    assert done[1].started is not None and done[0].finished is not None
    assert done[1].started >= done[0].finished

    bad = await server.submit(client, steps=5, step_s=0.05, misbehave="fail", at=4)
    dependants = [await server.submit(client, after=[bad.job_id])]
    dependants.append(await server.submit(client, after=[dependants[0].job_id]))
    for dependant in dependants:
        status = await ended(client, dependant.job_id)
        assert status.state == "failed"
        assert status.error is not None and status.error.code == "prerequisite_failed"
        assert "failing as asked" in status.error.message


async def fuse_request(client: AsyncClient, clip: bytes, origin: str = "test") -> JobRequest:
    digest = await client.upload(clip)
    request = debug_job(origin=origin)
    return JobRequest(job_id=request.job_id, kind="fuse", origin=origin, inputs={"original": digest, "reference": digest},
                      options={"reference": "learn", "prompt": "glass bells"})


async def test_a_learning_fuse_brings_its_learn_job_which_two_may_share(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    blocker = await server.submit(client, steps=1000, step_s=0.05)
    await seen(client, blocker.job_id, lambda s: s.phase == "sampling", "running")
    one, two = [await client.submit(await fuse_request(client, b"a clip")) for _ in range(2)]
    (learn_id,) = one.waiting_for
    assert two.waiting_for == [learn_id]
    assert (await client.status(learn_id)).kind == "learn"

    await client.cancel(one.job_id)
    assert (await client.status(learn_id)).state == "queued", "the other still needs it"
    await client.cancel(two.job_id)
    assert (await client.status(learn_id)).state == "cancelled", "nobody needs it any more"

    again = await client.submit(await fuse_request(client, b"a clip"))
    assert again.waiting_for != [learn_id], "an ended job stays as it is; a new one takes its place"
    await client.cancel(again.job_id)
    await client.cancel(blocker.job_id)


async def test_a_failed_learn_job_fails_the_fuse_with_its_cause(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    blocker = await server.submit(client, steps=1000, step_s=0.05)
    await seen(client, blocker.job_id, lambda s: s.phase == "sampling", "running")
    fuse = await client.submit(await fuse_request(client, b"not a clip at all"))
    await client.cancel(fuse.waiting_for[0])
    status = await ended(client, fuse.job_id)
    assert status.state == "failed"
    assert status.error is not None and status.error.code == "prerequisite_failed"
    assert "was cancelled" in status.error.message
    await client.cancel(blocker.job_id)
