# SPDX-License-Identifier: GPL-3.0-or-later
"""Events: whoever has seen the welcome and the snapshot misses nothing; a plain PUB socket would lose some."""

from __future__ import annotations

import asyncio
import json
import uuid

import pytest
import zmq
import zmq.asyncio
from harness import LIMIT_S, Server, debug_job, ended

from server.auth import Connection, KeyPair, present
from server.errors import RequestRefused
from server.protocol import WELCOME, job_topic


class Listener:
    """A bare SUB socket, as a client in another language would have."""

    def __init__(self, context: zmq.asyncio.Context, connection: Connection, job_id: str) -> None:
        self._socket = context.socket(zmq.SUB)
        present(self._socket, KeyPair(connection.client_public, connection.client_secret), connection.server_key)
        self._socket.linger = 0
        self._socket.subscribe(WELCOME)
        self._socket.subscribe(job_topic(job_id))
        self._socket.connect(connection.events)

    async def until_subscribed(self) -> None:
        """Wait for the welcome and the snapshot, which come in this order."""
        assert await self._frames() == [WELCOME]
        assert json.loads((await self._frames())[1])["type"] == "snapshot"

    async def until_ended(self) -> list[dict]:
        """All statuses up to the terminal one."""
        statuses = []
        while not statuses or statuses[-1]["state"] in ("queued", "running"):
            event = json.loads((await self._frames())[1])
            assert event["type"] == "status"
            statuses.append(event["status"])
        return statuses

    async def _frames(self) -> list[bytes]:
        return await asyncio.wait_for(self._socket.recv_multipart(), LIMIT_S)

    def close(self) -> None:
        self._socket.close()


async def test_subscribe_then_submit_misses_no_event_in_200_trials(serve, context) -> None:
    server: Server = await serve()
    client = await server.client()
    connection = Connection.read(server.paths.connection)
    for _ in range(200):
        request = debug_job(steps=2, step_s=0, seconds=0.01)
        listener = Listener(context, connection, request.job_id)
        await listener.until_subscribed()
        await client.submit(request)
        server.acknowledged.append(request.job_id)
        statuses = await listener.until_ended()
        listener.close()
        numbers = [status["seq"] for status in statuses]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert numbers[0] % 1_000_000_000 == 1
        assert [status["state"] for status in statuses][:: len(statuses) - 1] == ["queued", "succeeded"]
        phases = [status["phase"] for status in statuses]
        assert [phase for phase in ("queued", "starting", "sampling", "storing") if phase not in phases] == []


async def test_control_a_plain_pub_socket_loses_events_of_late_subscribers(context) -> None:
    complete = 0
    for _ in range(20):
        publisher, subscriber = context.socket(zmq.PUB), context.socket(zmq.SUB)
        publisher.linger = subscriber.linger = 0
        port = publisher.bind_to_random_port("tcp://127.0.0.1")
        subscriber.subscribe(b"")
        subscriber.connect(f"tcp://127.0.0.1:{port}")
        for number in range(20):
            await publisher.send(bytes([number]))
        complete += bool(await subscriber.poll(100)) and await subscriber.recv() == bytes([0])
        publisher.close()
        subscriber.close()
    assert complete < 20, "the welcome and the snapshot would not be needed"


async def test_watching_two_jobs_over_one_client_keeps_them_apart(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    jobs = [await server.submit(client, steps=3, step_s=0.05) for _ in range(2)]

    async def follow(job_id: str) -> list:
        return [status async for status in client.watch(job_id)]

    for job, statuses in zip(jobs, await asyncio.gather(*(follow(job.job_id) for job in jobs)), strict=True):
        assert {status.job_id for status in statuses} == {job.job_id}
        assert statuses[-1].state == "succeeded" and statuses[-1].results
        positions = [(status.attempt, status.step) for status in statuses if status.phase == "sampling"]
        assert positions == sorted(positions)


async def test_run_yields_the_whole_life_and_events_are_coalesced(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    request = debug_job(steps=300, step_s=0.002)
    statuses = [status async for status in client.run(request)]
    server.acknowledged.append(request.job_id)
    assert (statuses[0].state, statuses[-1].state) == ("queued", "succeeded")
    sampling = [status for status in statuses if status.phase == "sampling"]
    duration_s = (statuses[-1].finished or 0) - (statuses[-1].started or 0)
    assert 2 <= len(sampling) <= 10 * duration_s + 3
    assert statuses[-1].results[0].role == "echo"


async def test_events_carry_no_results(serve, context) -> None:
    server: Server = await serve()
    client = await server.client()
    connection = Connection.read(server.paths.connection)
    request = debug_job(steps=1)
    listener = Listener(context, connection, request.job_id)
    await listener.until_subscribed()
    await client.submit(request)
    assert all(status["results"] == [] for status in await listener.until_ended())
    assert (await ended(client, request.job_id)).results
    listener.close()


async def test_a_missing_job_is_an_error_not_a_wait(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    with pytest.raises(RequestRefused, match="there is no job"):
        await anext(client.watch(uuid.uuid4().hex))
