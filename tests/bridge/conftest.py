# SPDX-License-Identifier: GPL-3.0-or-later
"""An OSC client made of a plain socket, and bridges in this process to talk to."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.journal import Journal
from bridge.packets import Message, decode, encode
from bridge.routes import PREFIX
from bridge.session import Session
from bridge.transports import Transports
from server.errors import ServerUnreachable

LIMIT_S = 60.0
DYING = Path(__file__).with_name("dying_bridge.py")
REPOSITORY = Path(__file__).resolve().parents[2]


class OscClient:
    """Sends to one bridge and keeps what comes back, in order."""

    def __init__(self, port: int) -> None:
        self.received: list[Message] = []
        self._arrived = asyncio.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.connect(("127.0.0.1", port))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def _read(self) -> None:
        try:
            data = self._socket.recv(65535)
        except ConnectionRefusedError:  # the bridge is gone for the moment
            return
        assert len(data) <= 1024
        self.received.extend(decode(data))
        self._arrived.set()

    def send_bytes(self, datagram: bytes) -> None:
        self._socket.send(datagram)

    def send(self, address: str, *values) -> None:
        """Send to an address under the common prefix."""
        self.send_bytes(encode(f"{PREFIX}/{address}", *values))

    async def wait(self, address: str, request: str | None = None, *, count: int = 1) -> Message:
        """The `count`-th message of that address (and request id), within LIMIT_S."""
        full = f"{PREFIX}/{address}"

        async def found() -> Message:
            while True:
                matching = [m for m in self.received if m.address == full and request in (None, m.values[0])]
                if len(matching) >= count:
                    return matching[count - 1]
                self._arrived.clear()
                await self._arrived.wait()

        try:
            return await asyncio.wait_for(found(), LIMIT_S)
        except TimeoutError:
            pytest.fail(f"no {full} for {request}; received: {self.received[-8:]}")

    async def ask(self, address: str, *values) -> Message:
        """Send a request and wait for its answer, ok or error."""
        self.send(address, *values)
        request, full = str(values[0]) if values else "", f"{PREFIX}/{address}"

        async def answered() -> Message:
            while True:
                for message in self.received:
                    if message.address in (f"{PREFIX}/ok", f"{PREFIX}/error") and message.values[:2] == (request, full):
                        self.received.remove(message)
                        return message
                self._arrived.clear()
                await self._arrived.wait()

        try:
            return await asyncio.wait_for(answered(), LIMIT_S)
        except TimeoutError:
            pytest.fail(f"no answer to {full} {request}; received: {self.received[-8:]}")

    def close(self) -> None:
        if self._socket.fileno() != -1:
            asyncio.get_event_loop().remove_reader(self._socket)
            self._socket.close()


def _write_tone(path: Path, *, sample_rate: int = 48000, channels: int = 1, seconds: float = 0.5, **more) -> Path:
    """A sine with a different phase on each channel."""
    time_s = np.arange(round(seconds * sample_rate)) / sample_rate
    tone = np.stack([0.3 * np.sin(2 * np.pi * 440 * time_s + channel) for channel in range(channels)], axis=1)
    soundfile.write(path, tone, sample_rate, **more)
    return path


@pytest.fixture
def write_tone() -> Callable[..., Path]:
    """Writes a sine: `write_tone(path, sample_rate=48000, channels=1, seconds=0.5, **more for soundfile)`."""
    return _write_tone


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An import root with two clips in it."""
    folder = tmp_path / "root"
    folder.mkdir()
    _write_tone(folder / "original.wav", channels=2)
    _write_tone(folder / "reference.wav", sample_rate=44100)
    return folder


@pytest.fixture
async def lonely_bridge(tmp_path: Path, root: Path) -> AsyncIterator[Transports]:
    """A bridge whose server can not be reached."""

    async def no_server():
        raise ServerUnreachable("no server in this test.", code="not_here")

    journal = Journal(tmp_path / "journal.db")
    bridge = Transports(root, tmp_path / "home", http_port=0)

    def make_session(on_progress):
        return Session(journal, no_server, tmp_path / "work", on_progress)

    await bridge.start(journal, make_session)
    yield bridge
    await bridge.close()
    journal.close()


@pytest.fixture
async def client(lonely_bridge: Transports) -> AsyncIterator[OscClient]:
    """A client of the lonely bridge."""
    client = OscClient(lonely_bridge.port)
    yield client
    client.close()


@pytest.fixture
async def client_of() -> AsyncIterator[Callable[[int], OscClient]]:
    """Makes clients of the bridge that listens on a port."""
    clients: list[OscClient] = []

    def connect(port: int) -> OscClient:
        clients.append(OscClient(port))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


class ServerProcess:
    """A real server that takes debug jobs, in a process of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "server", "--home", str(home), "--debug-jobs"], cwd=REPOSITORY, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.process.stdout:
            if "server ready" in line:
                break
        else:
            pytest.fail("the server did not start")
        self._drain = threading.Thread(target=self.process.stdout.read, daemon=True)
        self._drain.start()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._drain.join()
        self.process.stdout.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all tests that do not kill it."""
    process = ServerProcess(tmp_path_factory.mktemp("server-home"))
    yield process
    process.stop()


@pytest.fixture
def start_server() -> Iterator[Callable[[Path], ServerProcess]]:
    """Starts servers that a test may kill."""
    processes: list[ServerProcess] = []

    def start(home: Path) -> ServerProcess:
        processes.append(ServerProcess(home))
        return processes[-1]

    yield start
    for process in processes:
        process.stop()


@pytest.fixture(scope="session")
def repository() -> Path:
    """Where the packages are found by `python -m`."""
    return REPOSITORY


class BridgeProcess:
    """A real bridge; `port` is where it listens."""

    def __init__(self, server, repository: Path, root: Path, *, dies: tuple[str, str] | None = None, port: int = 0) -> None:
        program = [str(DYING), *dies] if dies else ["-m", "bridge", "bridge"]
        environment = os.environ | {"PYTHONPATH": str(repository), "ATHANOR_HOME": str(server.home)}
        self.process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", *program, "--port", str(port), "--root", str(root)], cwd=repository,
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        self.port = int(line.split(",")[0].rpartition(":")[2])

    def ended(self) -> int:
        """Wait for its end; its return code."""
        try:
            code = self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            pytest.fail(f"the bridge did not end; it was at:\n{self.process.communicate()[1]}")
        self.close()
        return code

    def stop(self) -> str:
        """End it in order; what it wrote to stderr."""
        self.process.terminate()
        _, errors = self.process.communicate(timeout=LIMIT_S)
        assert self.process.returncode == 0, errors
        return errors

    def close(self) -> None:
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def start(request: pytest.FixtureRequest, repository: Path, root: Path) -> Iterator[Callable[..., BridgeProcess]]:
    """Starts bridges: `start(server=the shared one, dies=None, port=0)`."""
    bridges: list[BridgeProcess] = []

    def start(server: ServerProcess | None = None, **more) -> BridgeProcess:
        bridges.append(BridgeProcess(server or request.getfixturevalue("server"), repository, root, **more))
        return bridges[-1]

    yield start
    for bridge in bridges:
        if bridge.process.poll() is None:
            bridge.process.kill()
            bridge.process.wait()
        bridge.close()
