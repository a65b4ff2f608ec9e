# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 of the server: its worker goes with it, nothing accepted is lost, and clients go on without being told."""

from __future__ import annotations

import asyncio

import psutil
import pytest
from harness import Server, debug_job, ended, seen, until

from server.client import AsyncClient
from server.errors import ServerUnreachable


@pytest.mark.parametrize("how", ["", "hold_gil"])
async def test_a_killed_server_takes_its_worker_along_and_loses_no_job(serve, how: str) -> None:
    server: Server = await serve()
    client = await server.client()
    worker = psutil.Process(await server.worker_pid(client))
    done = await server.submit(client, steps=1, seed=1)
    before = await ended(client, done.job_id)
    running = await server.submit(client, steps=20, step_s=0.05, misbehave=how, at=3, seed=2)
    queued = [await server.submit(client, steps=1, seed=seed) for seed in range(3, 6)]
    await seen(client, running.job_id, lambda s: s.phase == "sampling", "sampling")
    watching = asyncio.create_task(ended(client, running.job_id))  # begun before the crash, finished after it

    server.kill()
    await until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, "the worker is gone", 5.0)
    await server.start()

    status = await watching
    assert (status.state, status.attempt) == ("succeeded", 2)
    for job in queued:
        status = await ended(client, job.job_id)
        assert (status.state, status.attempt) == ("succeeded", 1)
    assert (await client.status(done.job_id)).results == before.results
    assert len(await client.read(before.results[0].digest)) == before.results[0].bytes


async def test_a_job_that_was_being_cancelled_is_cancelled_after_the_restart(serve) -> None:
    server: Server = await serve(cancel_grace_s="20")
    client = await server.client()
    job = await server.submit(client, steps=2000, step_s=0.05, ignore_cancel=True)
    await seen(client, job.job_id, lambda s: s.phase == "sampling", "sampling")
    _, outcome = await client.cancel(job.job_id)
    assert outcome == "cancelling"
    server.kill()
    await server.start()
    assert (await client.status(job.job_id)).state == "cancelled"


async def test_an_upload_cut_by_a_restart_begins_again(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    data = bytes(range(256)) * 40000
    upload = asyncio.create_task(client.upload(data))
    incoming = server.paths.blobs / "incoming"
    await until(lambda: upload.done() or any(incoming.iterdir()), "the upload has begun")
    server.kill()
    await server.start()
    assert await client.read(await upload) == data


async def test_a_client_that_died_after_its_submit_finds_the_job_again(serve) -> None:
    server: Server = await serve()
    request = debug_job(steps=3, seed=7)
    first = await AsyncClient.connect(server.home)
    asking = asyncio.create_task(first.submit(request))
    second = await server.client()

    async def is_known() -> bool:
        return any(job.job_id == request.job_id for job in await second.jobs())

    await until(is_known, "the submit has arrived")
    asking.cancel()
    await first.close()  # the reply, if it came, was never read
    assert (await second.submit(request)).job_id == request.job_id
    assert (await ended(second, request.job_id)).state == "succeeded"
    assert len(await second.jobs()) == 1


async def test_a_dead_server_is_reported_and_not_waited_for(serve) -> None:
    server: Server = await serve()
    server.kill()
    with pytest.raises(ServerUnreachable, match="has died"):
        await AsyncClient.connect(server.home)
    await server.start()
