# SPDX-License-Identifier: GPL-3.0-or-later
"""`athanor up`: two children, restarted when they crash, gone when it goes."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bridge.routes import PREFIX
from server.client import AsyncClient
from server.errors import ServerUnreachable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the tests stop it by POSIX signals")
LIMIT_S = 60


@pytest.fixture
def up(repository, root, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", "up", "--port", "0", "--root", str(root), "--json"], cwd=repository,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"ATHANOR_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"})
    yield process
    if process.poll() is None:
        process.kill()
    for child in children(process.pid) if psutil.pid_exists(process.pid) else []:
        child.kill()
    process.communicate()


def children(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def bridge_port(process: subprocess.Popen[str]) -> int:
    """The port that the next bridge to come up listens on."""
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "ready":
            return int(re.search(r":(\d+),", event["bridge"])[1])
    pytest.fail(f"no bridge came up: {process.stderr.read()}")


async def connected(home: Path) -> AsyncClient:
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                return await AsyncClient.connect(home, patience_s=2)
            except ServerUnreachable:
                await asyncio.sleep(0.05)


async def test_it_brings_both_up_restarts_what_crashes_and_ends_both(up, client_of, tmp_path):
    home = tmp_path / "home"
    client = client_of(bridge_port(up))
    assert (await client.ask("ping", "p1")).address == f"{PREFIX}/ok"
    server = await connected(home)
    first = (await server.hello())["instance"]
    await server.close()

    (bridge,) = [child for child in children(up.pid) if "bridge" in child.cmdline()]
    bridge.kill()
    client = client_of(bridge_port(up))
    assert (await client.ask("ping", "p2")).address == f"{PREFIX}/ok"

    (process,) = [child for child in children(up.pid) if child.cmdline()[1:3] == ["-m", "server"]]
    process.kill()
    async with asyncio.timeout(LIMIT_S):
        while True:
            server = await connected(home)
            second = (await server.hello())["instance"]
            await server.close()
            if second != first:
                break

    everyone = children(up.pid)
    up.send_signal(signal.SIGINT)
    assert up.wait(LIMIT_S) == 0
    _, alive = psutil.wait_procs(everyone, timeout=LIMIT_S)
    assert alive == []
    assert not (home / "server" / "connection.json").exists()


async def test_a_warm_server_is_used_and_left_warm(up_words, server, client_of):
    process = up_words(ATHANOR_HOME=str(server.home))
    client = client_of(bridge_port(process))
    await client.ask("render/debug", "on-warm-server")
    await client.wait("done", "on-warm-server")
    process.send_signal(signal.SIGINT)
    assert process.wait(LIMIT_S) == 0
    assert server.process.poll() is None


def test_a_bridge_that_can_not_start_ends_it_with_the_reason(up_words, server, client_of, tmp_path):
    (tmp_path / "file").write_text("no folder")
    process = up_words("--root", str(tmp_path / "file"), ATHANOR_HOME=str(server.home))
    assert process.wait(LIMIT_S) == 1
    errors = process.stderr.read()
    assert "cannot be made" in errors
    assert "Traceback" not in errors


@pytest.fixture
def up_words(repository, root):
    """Runs `athanor up` with other words and environment."""
    processes = []

    def run(*words: str, **environment: str) -> subprocess.Popen[str]:
        processes.append(subprocess.Popen(
            [sys.executable, "-m", "bridge", "up", "--port", "0", "--root", str(root), "--json", *words], cwd=repository,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment))
        return processes[-1]

    yield run
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()
