# SPDX-License-Identifier: GPL-3.0-or-later
"""What the failure tests share: a real server on a folder of its own, and the checks that must hold after every test."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil

from server.auth import Connection
from server.blobs import BlobStore
from server.client import AsyncClient
from server.database import Database
from server.errors import ServerUnreachable
from server.protocol import JobRequest, JobStatus
from server.reconcile import check
from server.settings import Paths, Settings

ROOT = Path(__file__).parents[2]
MARK = "ATHANOR_TEST_MARK"
LIMIT_S = 30.0
QUICK = {
    "warm": "false", "heartbeat_s": "0.2", "restart_first_s": "0.05", "restart_last_s": "0.1", "worker_silent_s": "15",
    "stall_s": "15", "first_step_s": "15", "cancel_grace_s": "0.5", "cancel_grace_busy_s": "0.5", "free_floor_bytes": "0",
}


async def until(condition: Callable[[], Awaitable[Any]] | Callable[[], Any], what: str, limit_s: float = LIMIT_S) -> Any:
    """Wait until `condition` gives something true and return that; fail after `limit_s`."""
    deadline = time.monotonic() + limit_s
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {limit_s:g} s: {what}"
        await asyncio.sleep(0.02)


class Server:
    """A server process. `restart` starts another one on the same folder."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home, self.paths = home, Paths(home)
        self.settings = QUICK | settings
        self.mark = uuid.uuid4().hex
        self.acknowledged: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None
        self._clients: list[AsyncClient] = []

    def spawn(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start the process and return at once."""
        sets = [part for name, value in self.settings.items() for part in ("--set", f"{name}={value}")]
        command = [sys.executable, "-m", "server", "--home", str(self.home), "--debug-jobs", *sets, *arguments]
        environment = os.environ | {MARK: self.mark, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        with open(self.home.parent / "server.log", "ab") as log:
            self.process = subprocess.Popen(command, cwd=self.home.parent, env=environment, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, **options)
        return self.process

    async def start(self, *arguments: str) -> None:
        """Start it and wait until it can be talked to."""
        process = self.spawn(*arguments)

        def is_ready() -> bool:
            assert process.poll() is None, f"the server ended: {self.log()[-2000:]}"
            try:
                return Connection.read(self.paths.connection).pid == process.pid
            except ServerUnreachable:
                return False

        await until(is_ready, "server ready")

    def log(self) -> str:
        return (self.home.parent / "server.log").read_text(errors="replace")

    async def client(self) -> AsyncClient:
        """A client that is closed with the server."""
        client = await AsyncClient.connect(self.home)
        self._clients.append(client)
        return client

    async def submit(self, client: AsyncClient, **fields: Any) -> JobStatus:
        """Submit a debug job and remember that it was acknowledged."""
        status = await client.submit(debug_job(**fields))
        self.acknowledged.append(status.job_id)
        return status

    async def worker_pid(self, client: AsyncClient) -> int:
        async def pid() -> int | None:
            return (await client.stats())["worker"]["pid"]

        return await until(pid, "a worker")

    def kill(self) -> None:
        """kill -9, as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    async def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, LIMIT_S)

    async def close(self) -> None:
        """End everything and check what must hold."""
        for client in self._clients:
            await client.close()
        if self.process is not None:
            await self.stop()
        await until(lambda: not survivors(self.mark), "no process of this server survives", 10.0)
        faults = find_faults(self.home, self.acknowledged)
        assert not faults, "\n".join(faults)


def debug_job(job_id: str | None = None, origin: str = "test", inputs: dict[str, str] | None = None, priority: int = 0,
              after: list[str] | None = None, **options: Any) -> JobRequest:
    """A debug request with these options."""
    return JobRequest(job_id=job_id or uuid.uuid4().hex, kind="debug", options=options, origin=origin, inputs=inputs or {},
                      priority=priority, after=after or [])


def survivors(mark: str) -> list[int]:
    """Processes that carry the mark of one server in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
    return found


def find_faults(home: Path, acknowledged: list[str]) -> list[str]:
    """Everything that is wrong with the folder of a stopped server."""
    paths = Paths(home)
    faults = [f"{paths.connection} is still there"] if paths.connection.exists() else []
    if not paths.ledger.exists():
        return faults
    database = Database(paths.ledger)
    try:
        store = BlobStore(paths.blobs, database, Settings(home))
        known = {row["id"] for row in database.all("SELECT id FROM job")}
        faults += [f"acknowledged job {job_id} is not in the ledger" for job_id in acknowledged if job_id not in known]
        return faults + check(database, store)
    finally:
        database.close()


async def seen(client: AsyncClient, job_id: str, condition: Callable[[JobStatus], bool], what: str) -> JobStatus:
    """Watch a job until `condition` holds."""

    async def follow() -> JobStatus:
        async for status in client.watch(job_id):
            if condition(status):
                return status
        raise AssertionError(f"{job_id} ended {status.state} without: {what}")

    return await asyncio.wait_for(follow(), LIMIT_S)


async def ended(client: AsyncClient, job_id: str) -> JobStatus:
    """Wait for a job's end."""
    return await asyncio.wait_for(client.wait(job_id), LIMIT_S)
