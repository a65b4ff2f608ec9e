# SPDX-License-Identifier: GPL-3.0-or-later
"""No room, no rights, no sound ledger: one clear refusal, everything else goes on, and recovery needs no restart."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import ROOT, Server, debug_job, ended, seen, until

from server.errors import StorageError

KIB = 1024


@contextmanager
def largest_file(pid: int, limit: int) -> Iterator[None]:
    """Let a process write no file beyond `limit` bytes, which it meets as a full disk."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


async def test_an_upload_that_finds_no_room_is_refused_and_can_be_repeated(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    assert server.process is not None
    data = os.urandom(3 * 1024 * KIB)
    with largest_file(server.process.pid, 512 * KIB):
        with pytest.raises(StorageError) as full:
            await client.upload(data)
        assert full.value.code == "storage_full"
        small = await server.submit(client, steps=1)
        assert (await ended(client, small.job_id)).state == "succeeded"
    assert await client.read(await client.upload(data)) == data


async def test_a_result_that_finds_no_room_fails_its_job_alone(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    pid = await server.worker_pid(client)
    with largest_file(pid, 512 * KIB):
        job = await server.submit(client, steps=1, result_mb=2)
        status = await ended(client, job.job_id)
        assert status.state == "failed"
        assert status.error is not None
        assert (status.error.code, status.error.retryable) == ("storage_full", True)
        small = await server.submit(client, steps=1)
        assert (await ended(client, small.job_id)).state == "succeeded"
    again = await server.submit(client, steps=1, result_mb=2)
    assert (await ended(client, again.job_id)).state == "succeeded"
    assert await server.worker_pid(client) == pid


async def test_a_ledger_that_finds_no_room_refuses_submits_and_keeps_the_outcome_for_later(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    assert server.process is not None
    running = await server.submit(client, steps=20, step_s=0.05)
    await seen(client, running.job_id, lambda s: s.phase == "sampling", "sampling")
    with largest_file(server.process.pid, 0):
        with pytest.raises(StorageError) as full:
            for number in range(200):  # until the log cannot grow any more
                await client.submit(debug_job(origin=f"o{number}"))
        assert full.value.code == "storage_full"
        assert (await client.status(running.job_id)).job_id == running.job_id
        assert (await client.stats())["worker"]["pid"]

        async def has_ended_unwritten() -> bool:
            worker = (await client.stats())["worker"]
            return worker["state"] == "ready" and (await client.status(running.job_id)).state == "running"

        await until(has_ended_unwritten, "the job has ended and its outcome cannot be written")
    assert (await ended(client, running.job_id)).state in ("succeeded", "failed")
    after = await server.submit(client, steps=1)
    assert (await ended(client, after.job_id)).state == "succeeded"


async def test_below_the_floor_submits_and_uploads_are_refused_but_cancel_and_status_work(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    jobs = [await server.submit(client, steps=2000, step_s=0.05) for _ in range(2)]
    await server.stop()
    server.settings["free_floor_bytes"] = str(shutil.disk_usage(server.home).total)
    await server.start()
    for work in (client.submit(debug_job()), client.upload(b"some bytes")):
        with pytest.raises(StorageError, match="must stay free"):
            await work
    for job in jobs:
        assert (await client.status(job.job_id)).state in ("queued", "running")
        await client.cancel(job.job_id)
        assert (await ended(client, job.job_id)).state == "cancelled"


async def test_results_that_nobody_has_fetched_are_kept_and_others_make_room(serve) -> None:
    server: Server = await serve(store_limit_bytes=str(3 * 1024 * KIB))
    client = await server.client()
    first = await ended(client, (await server.submit(client, steps=1, result_mb=1)).job_id)
    second = await ended(client, (await server.submit(client, steps=1, result_mb=0.99)).job_id)
    with pytest.raises(StorageError, match="nobody has fetched"):
        await client.upload(os.urandom(2 * 1024 * KIB))
    await client.fetched(first.job_id)
    await client.upload(os.urandom(1024 * KIB))
    for result in second.results:
        assert len(await client.read(result.digest)) == result.bytes
    with pytest.raises(Exception, match="removed to make room"):
        await client.read(first.results[1].digest)


def refusal(home: Path) -> str:
    """What a server says that cannot start on `home`."""
    ended = subprocess.run([sys.executable, "-B", "-m", "server", "--home", str(home)], cwd=ROOT, capture_output=True,
                           text=True, timeout=30)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    return ended.stderr


async def test_a_second_server_on_the_folder_is_refused(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    assert server.process is not None
    said = await asyncio.to_thread(refusal, server.home)
    assert str(server.paths.lock) in said
    assert str(server.process.pid) in said
    assert await client.stats()


async def test_a_port_in_use_is_refused(serve, tmp_path: Path) -> None:
    server: Server = await serve()
    port = server.paths.connection.read_text().split('"requests": "tcp://127.0.0.1:')[1].split('"')[0]
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-B", "-m", "server", "--home", str(tmp_path / "other"), "--port", port], cwd=ROOT,
        capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert f"port {port} on 127.0.0.1 is in use" in ended.stderr


async def test_a_damaged_or_newer_ledger_is_refused_and_left_alone(serve) -> None:
    server: Server = await serve()
    await server.stop()
    ledger, sound = server.paths.ledger, server.paths.ledger.read_bytes()

    ledger.write_bytes(b"not a database, " * 1000)
    said = refusal(server.home)
    assert f"{ledger} is damaged" in said and "Move it away" in said
    assert ledger.read_bytes() == b"not a database, " * 1000

    ledger.write_bytes(sound[:4096] + b"\xff" * (len(sound) - 4096))
    assert f"{ledger} is damaged" in refusal(server.home)

    ledger.write_bytes(sound)
    connection = sqlite3.connect(ledger)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    said = refusal(server.home)
    assert str(ledger) in said and "newer Athanor" in said and "99" in said
    ledger.write_bytes(sound)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    said = refusal(tmp_path / "file" / "home")
    assert "cannot be written" in said and str(tmp_path / "file") in said


@pytest.mark.skipif(os.name != "posix", reason="rights as POSIX has them")
def test_a_read_only_folder_is_refused() -> None:
    become_nobody = "os.geteuid() or (os.setgroups([]), os.setgid(65534), os.setuid(65534))"  # root may write anywhere
    code = f"import os, sys; from server.__main__ import main; {become_nobody}; sys.exit(main())"
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        ended = subprocess.run([sys.executable, "-B", "-c", code, "--home", f"{folder}/home"], cwd=ROOT,
                               capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert "cannot be written" in ended.stderr and folder in ended.stderr
    assert "Traceback" not in ended.stderr
