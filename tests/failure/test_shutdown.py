# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGTERM and server.stop: the running job finishes or goes back to the queue at no cost; files and processes are gone."""

from __future__ import annotations

import asyncio
import signal

import pytest
from harness import Server, debug_job, ended, seen, until

from server.errors import RequestRefused


async def test_an_idle_server_ends_at_once_and_cleanly(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    await server.worker_pid(client)
    assert await server.stop() == 0
    assert not server.paths.connection.exists()
    assert "a socket was left open" not in server.log()


async def test_a_job_that_ends_in_time_is_finished(serve) -> None:
    server: Server = await serve(drain_s="20")
    client = await server.client()
    job = await server.submit(client, steps=10, step_s=0.05)
    queued = await server.submit(client, steps=1)
    await seen(client, job.job_id, lambda s: s.phase == "sampling", "sampling")
    assert await server.stop() == 0
    await server.start()
    status = await client.status(job.job_id)
    assert (status.state, status.attempt) == ("succeeded", 1)
    assert (await ended(client, queued.job_id)).state == "succeeded"


@pytest.mark.parametrize("ignore_cancel", [False, True])
async def test_a_job_that_does_not_is_put_back_without_costing_an_attempt(serve, ignore_cancel: bool) -> None:
    server: Server = await serve(drain_s="0.2")
    client = await server.client()
    job = await server.submit(client, steps=40, step_s=0.05, ignore_cancel=ignore_cancel)
    await seen(client, job.job_id, lambda s: s.phase == "sampling", "sampling")
    assert await server.stop() == 0
    server.settings["drain_s"] = "20"
    await server.start()
    status = await ended(client, job.job_id)
    assert (status.state, status.attempt) == ("succeeded", 1)


async def test_while_draining_submits_are_refused_and_status_answers(serve) -> None:
    server: Server = await serve(drain_s="20")
    client = await server.client()
    job = await server.submit(client, steps=20, step_s=0.05)
    await seen(client, job.job_id, lambda s: s.phase == "sampling", "sampling")
    stopping = asyncio.create_task(client.shutdown())
    other = await server.client()

    async def is_draining() -> bool:
        return (await other.stats())["draining"]

    await until(is_draining, "draining")
    with pytest.raises(RequestRefused, match="shutting down") as refused:
        await other.submit(debug_job())
    assert refused.value.code == "shutting_down"
    assert (await other.submit(debug_job(job_id=job.job_id, steps=20, step_s=0.05))).job_id == job.job_id
    await stopping
    assert server.process is not None
    assert await asyncio.to_thread(server.process.wait, 10) == 0


async def test_stop_before_the_worker_is_ready(serve) -> None:
    server: Server = await serve()
    assert await server.stop() == 0


async def test_a_second_signal_ends_it_now_and_the_ledger_keeps_the_job(serve) -> None:
    server: Server = await serve(drain_s="60")
    client = await server.client()
    job = await server.submit(client, steps=100, step_s=0.05)
    await seen(client, job.job_id, lambda s: s.phase == "sampling", "sampling")
    assert server.process is not None
    server.process.send_signal(signal.SIGINT)

    async def is_draining() -> bool:
        return (await client.stats())["draining"]

    await until(is_draining, "draining")
    server.process.send_signal(signal.SIGINT)
    assert await asyncio.to_thread(server.process.wait, 10) == 1
    assert not server.paths.connection.exists()
    await server.start()
    status = await client.status(job.job_id)
    assert status.state in ("queued", "running")
    await client.cancel(job.job_id)
    await ended(client, job.job_id)


async def test_connections_and_files_of_gone_clients_are_closed(serve) -> None:
    import psutil

    server: Server = await serve()
    client = await server.client()
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    await ended(client, (await server.submit(client, steps=1)).job_id)
    await client.stats()
    before = process.num_fds()
    for _ in range(20):
        other = await server.client()
        await ended(other, (await server.submit(other, steps=1, seconds=0.01)).job_id)
        await other.upload(f"clip {_}".encode())
        await other.close()
        server._clients.remove(other)
    await until(lambda: process.num_fds() <= before + 2, "files are closed again", 10)
    assert process.num_threads() < 20
