# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker dies, in every way: the job is tried again, a job that kills its worker fails, nobody else notices."""

from __future__ import annotations

import hashlib
import os
import random
import signal
from pathlib import Path

import pytest
from harness import Server, ended, seen

from server.audio import wav_bytes
from server.kinds.debug import DebugOptions
from server.methods.context import Context
from server.methods.debug import run


def undisturbed_digest(seed: int) -> str:
    """SHA-256 of what the job with this seed makes when nothing goes wrong."""
    context = Context(job_id="", digests={}, palette_dir=Path(), backbone=lambda name: None, on_step=lambda step: None)
    (output,) = run({}, DebugOptions(steps=0, seed=seed), context)
    return hashlib.sha256(wav_bytes(output.clip)).hexdigest()


async def test_killed_worker_costs_an_attempt_and_no_byte(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    for seed in range(20):
        pid = await server.worker_pid(client)
        step = random.Random(seed).randrange(10)  # where the first attempt waits for the kill
        job = await server.submit(client, steps=10, step_s=0.001, seed=seed, misbehave="hang", at=step)
        await seen(client, job.job_id, lambda s, step=step: s.phase == "sampling" and s.step == step, "the step")
        os.kill(pid, signal.SIGKILL)
        attempts = [status.attempt async for status in client.watch(job.job_id)]
        status = await client.status(job.job_id)
        assert status.state == "succeeded"
        assert attempts == sorted(attempts)
        assert attempts[-1] == 2
        assert status.results[0].digest == undisturbed_digest(seed)


async def test_the_cause_is_on_the_job(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    for how, cause, last_words in (
        ("exit", "status 3", "leaving without a word"),
        ("segv", "SIGSEGV", "Segmentation fault"),
        ("abort", "SIGABRT", "Aborted"),
        ("kill", "SIGKILL", ""),
        ("device", "device error", "device-side assert"),
    ):
        once = await server.submit(client, misbehave=how, at=1, attempts=1)
        always = await server.submit(client, misbehave=how, at=1, attempts=9)
        status = await ended(client, once.job_id)
        assert (status.state, status.attempt, status.error) == ("succeeded", 2, None)
        status = await ended(client, always.job_id)
        assert (status.state, status.attempt) == ("failed", 2)
        assert status.error is not None
        assert status.error.code == "worker_crashed"
        assert cause in status.error.message
        assert last_words in (status.error.detail or "")


async def test_a_poisonous_job_fails_and_ten_healthy_ones_succeed(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    poison = await server.submit(client, misbehave="segv", attempts=99)
    healthy = [await server.submit(client, steps=2) for _ in range(10)]
    assert (await ended(client, poison.job_id)).state == "failed"
    for job in healthy:
        status = await ended(client, job.job_id)
        assert (status.state, status.attempt) == ("succeeded", 1)


@pytest.mark.parametrize(("how", "settings"), [
    ("hang", {"stall_s": "1", "first_step_s": "1"}),
    ("hold_gil", {"worker_silent_s": "3"}),
])
async def test_a_stuck_worker_is_replaced(serve, how: str, settings: dict[str, str]) -> None:
    server: Server = await serve(**settings)
    client = await server.client()
    stuck = await server.submit(client, misbehave=how, at=1, attempts=99)
    after = await server.submit(client, steps=2)
    status = await ended(client, stuck.job_id)
    assert status.state == "failed"
    assert status.error is not None
    assert status.error.code == "worker_stalled"
    assert (await ended(client, after.job_id)).state == "succeeded"


async def test_a_wrong_job_leaves_its_worker_alive(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    pid = await server.worker_pid(client)
    for how, code in (("fail", "internal"), ("wrong", "internal"), ("oom", "out_of_memory")):
        status = await ended(client, (await server.submit(client, misbehave=how)).job_id)
        assert (status.state, status.attempt) == ("failed", 1)
        assert status.error is not None and status.error.code == code
    assert await server.worker_pid(client) == pid
