# SPDX-License-Identifier: GPL-3.0-or-later
"""Spool folders: a host that only reads and writes files, woken by OSC; results wait for one that is closed."""

import asyncio
import os
import socket

import pytest

from bridge.packets import Message, decode
from bridge.routes import PREFIX, PROGRESS
from bridge.spool import _Box
from bridge.spool_lines import message_text, read_message
from bridge.wake import wake_message

LIMIT_S = 60


class SpoolClient:
    """Writes and reads the files of one client."""

    def __init__(self, root, name: str) -> None:
        self.inbox, self.outbox = (root / "spool" / name / side for side in ("in", "out"))
        self.inbox.mkdir(parents=True, exist_ok=True)
        self._number = 0

    def drop(self, data: bytes) -> None:
        self._number += 1
        part = self.inbox / f"{self._number:04d}.tmp"
        part.write_bytes(data)
        os.replace(part, part.with_suffix(".msg"))

    def send(self, address: str, *values) -> None:
        self.drop(message_text(Message(f"{PREFIX}/{address}", values)).encode())

    async def next(self) -> Message:
        """The first message; it is deleted."""
        async with asyncio.timeout(LIMIT_S):
            while not self.waiting():
                await asyncio.sleep(0.02)
        path = self.waiting()[0]
        message = read_message(path.read_bytes())
        path.unlink()
        return message

    def waiting(self):
        return sorted(self.outbox.glob("*.msg"))

    async def ask(self, address: str, *values) -> Message:
        self.send(address, *values)
        return await self.next()


@pytest.fixture
def spool(lonely_bridge, root):
    return SpoolClient(root, "ardour")


@pytest.fixture
def early(root):
    client = SpoolClient(root, "early")
    client.send("ping", "e1")
    client.send("ping", "e2")
    return client


async def test_requests_are_answered_in_order_and_their_files_removed(spool, root):
    for number in range(5):
        spool.send("ping", f"p{number}")
    assert [(await spool.next()).values[0] for _ in range(5)] == [f"p{number}" for number in range(5)]
    hello = await spool.ask("hello", "ardour")
    assert hello.values[4] == str(root)
    assert not list(spool.inbox.iterdir())


async def test_what_was_written_before_the_bridge_started_is_answered(early, lonely_bridge):
    assert [(await early.next()).values[0] for _ in range(2)] == ["e1", "e2"]


async def test_what_is_no_message_is_answered_with_its_file_s_name(spool):
    spool.drop(b"words")
    answer = await spool.next()
    assert answer.values[2] == "malformed"
    assert answer.values[3].startswith("0001.msg: a message file holds one line")
    spool.drop(b"\xff" * 70000)
    assert (await spool.next()).values[2] == "malformed"
    assert (await spool.ask("ping", "p")).address == f"{PREFIX}/ok"


async def test_a_file_that_cannot_be_read_holds_up_nothing(spool, monkeypatch):
    def read(path, mode):
        if path.name == "0001.msg":
            raise PermissionError(13, "Permission denied", str(path))
        return open(path, mode)

    monkeypatch.setattr("bridge.spool.open", read, raising=False)
    spool.send("ping", "first")
    assert (await spool.ask("ping", "second")).values[0] == "second"
    assert [path.name for path in spool.inbox.glob("*.msg")] == ["0001.msg"]


async def test_the_end_of_a_job_waits_once_until_the_host_reads_it(spool):
    await spool.ask("hello", "ardour")
    assert (await spool.ask("render/fuse", "r1", "original.wav", "reference.wav")).address == f"{PREFIX}/ok"
    async with asyncio.timeout(LIMIT_S):
        while not [path for path in spool.waiting() if b"/failed\t" in path.read_bytes()]:
            await asyncio.sleep(0.02)
    spool.send("hello", "ardour")  # a reopened host: the end is still there, and not there twice
    async with asyncio.timeout(LIMIT_S):
        while list(spool.inbox.iterdir()):
            await asyncio.sleep(0.02)
    words = [read_message(path.read_bytes()) for path in spool.waiting()]
    assert [message.values[2] for message in words if message.address == f"{PREFIX}/failed"] == ["not_here"]


async def test_hello_by_udp_chooses_the_spool_and_a_wake(client, root):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:  # stands for the host's own OSC port
        host.bind(("127.0.0.1", 0))
        host.setblocking(False)
        wake = f"{host.getsockname()[1]} /access_action LuaAction/script-2"
        client.send("hello", "ardour", "@via", "spool", "@wake", wake)
        spool = SpoolClient(root, "ardour")
        assert (await spool.next()).values[1] == f"{PREFIX}/hello"
        async with asyncio.timeout(LIMIT_S):
            woken = await asyncio.get_running_loop().sock_recv(host, 2000)
    assert decode(woken) == (Message("/access_action", ("LuaAction/script-2",)),)
    assert not client.received


@pytest.mark.parametrize(("name", "options", "message"), [
    ("../x", ("@via", "spool"), "cannot name a spool folder"), ("a/b", ("@via", "spool"), "cannot name"),
    ("x", ("@via", "mail"), "via='mail'"), ("x", ("@wake", "3819 /a"), "goes with @via spool"),
    ("x", ("@via", "spool", "@wake", "0 /a"), "PORT /address"),
    ("x", ("@via", "spool", "@wake", "3819 a"), "PORT /address"),
])
async def test_an_impossible_hello_is_refused(client, root, name, options, message):
    answer = await client.ask("hello", name, *options)
    assert answer.address == f"{PREFIX}/error"
    assert message in answer.values[3]
    assert not (root.parent / "x").exists()


async def test_strange_folders_and_files_are_left_alone(spool, root):
    (root / "spool" / ".hidden" / "in").mkdir(parents=True)
    (root / "spool" / ".hidden" / "in" / "1.msg").write_text(f"{PREFIX}/ping\tp\n")
    (root / "spool" / "file").write_text("x")
    (spool.inbox / "half.tmp").write_text("x")
    (spool.inbox / "a.msg").symlink_to("/etc/passwd")
    assert (await spool.ask("ping", "p")).address == f"{PREFIX}/ok"
    assert (root / "spool" / ".hidden" / "in" / "1.msg").exists()
    assert not (root / "spool" / ".hidden" / "out").exists()


def test_of_a_job_s_progress_only_the_newest_lies_there(tmp_path, monkeypatch):
    monkeypatch.setattr("bridge.spool._PROGRESS_S", 0.0)
    box = _Box(tmp_path / "out")
    for step in range(5):
        assert not box.put(Message(PROGRESS, ("r", "job", "sampling", step, 5, step / 5, -1.0)))
    (path,) = (tmp_path / "out").glob("*.msg")
    assert read_message(path.read_bytes()).values[3] == "4"


def test_numbers_go_on_after_what_a_former_bridge_left(tmp_path):
    first = _Box(tmp_path / "out")
    first.put(Message("/a", ("1",)))
    again = _Box(tmp_path / "out")
    again.put(Message("/a", ("1",)))
    again.put(Message("/a", ("2",)))
    assert sorted(path.name for path in (tmp_path / "out").glob("*.msg")) == ["000001.msg", "000002.msg"]


def test_a_full_folder_of_a_former_bridge_is_not_written_over(tmp_path):
    first = _Box(tmp_path / "out")
    for number in range(300):
        first.put(Message("/a", (str(number),)))
    _Box(tmp_path / "out").put(Message("/a", ("new",)))
    told = [read_message(path.read_bytes()).values[0] for path in sorted((tmp_path / "out").glob("*.msg"))]
    assert told == [*map(str, range(300)), "new"]


def test_a_wake_carries_numbers_as_numbers():
    port, datagram = wake_message("3819 /go 2 0.5 words")
    assert (port, datagram) == (3819, b"/go\0,ifs\0\0\0\0\0\0\0\x02\x3f\0\0\0words\0\0\0")
