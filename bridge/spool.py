# SPDX-License-Identifier: GPL-3.0-or-later
"""Spool folders: messages as files, for hosts that run scripts but cannot listen.

A host writes `spool/CLIENT/in/ANY.msg` under the import root (under another name first, then renamed) and finds what is
sent to it in `spool/CLIENT/out/NNNNNN.msg`, to be read in the order of names and deleted. One message a file.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

from bridge.clients import folder_name
from bridge.http.files import CLIPS_FOLDER
from bridge.outlets import SPOOL, Address, Outlet
from bridge.packets import Message
from bridge.placement import make_folder
from bridge.reception import Reception
from bridge.routes import ERROR, PROGRESS
from bridge.spool_lines import MAX_BYTES, message_text, read_message
from bridge.wake import Waker
from server.errors import InvalidOption, ProtocolError, StorageError

_log = logging.getLogger("athanor.bridge")
_LOOK_S = 0.1
_LOOK_FOR_THE_FIRST_S = 1.0
_PROGRESS_S = 1.0
_UNREAD = 1000
_AT_ONCE = 256


class SpoolServer:
    """Looks into the spool folders of one import root."""

    def __init__(self, root: Path) -> None:
        self._folder = root / SPOOL
        self._boxes: dict[str, _Box] = {}
        self._busy: set[str] = set()
        self._stuck: set[Path] = set()
        self._waker = Waker()
        self._watching: asyncio.Task[None] | None = None

    def start(self, reception: Reception) -> None:
        """Hear and answer. The folder for clips is made, too: a host's scripts may not be able to make one."""
        make_folder(self._folder.with_name(CLIPS_FOLDER))
        self._reception = reception
        reception.outlets.add(SPOOL, self)
        self._watching = asyncio.get_running_loop().create_task(self._watch(), name="spool")

    async def close(self) -> None:
        """Look no more; messages that are not answered yet stay where they are."""
        self._waker.close()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    def outlet(self, address: Address) -> Outlet:
        box = self._boxes.get(address.text)
        if box is None:
            box = self._boxes[address.text] = _Box(self._folder / address.text / "out")
        return _Outlet(box, self._waker, address.wake)

    async def _watch(self) -> None:
        while True:
            try:
                for client, paths in self._arrived():
                    self._busy.add(client)
                    self._reception.desk.spawn(self._serve(client, paths))
            except OSError as error:
                _log.debug("the spool folder cannot be read: %s", error)
            await asyncio.sleep(_LOOK_S if self._folder.is_dir() else _LOOK_FOR_THE_FIRST_S)

    def _arrived(self) -> list[tuple[str, list[Path]]]:
        """The clients that are not being served, and their messages in the order of their names."""
        if not self._folder.is_dir():
            return []
        with os.scandir(self._folder) as entries:
            clients = [entry.name for entry in entries if entry.is_dir() and entry.name not in self._busy]
        arrived = [(client, _messages_in(self._folder / client / "in")) for client in clients if _is_client(client)]
        fresh = [(client, [path for path in paths if path not in self._stuck][:_AT_ONCE]) for client, paths in arrived]
        return [(client, paths) for client, paths in fresh if paths]

    async def _serve(self, client: str, paths: list[Path]) -> None:
        source = Address(SPOOL, client)
        try:
            for path in paths:
                try:
                    await self._take(path, source)
                except OSError as error:  # the others must not wait for it
                    _log.warning("%s cannot be read (%s); it is left alone", path, error.strerror)
                    self._stuck.add(path)
                    continue
                self._remove(path)  # only now: what a killed bridge has not answered is answered by the next one
        finally:
            self._busy.discard(client)

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:  # it must not be done again and again
            _log.warning("%s cannot be deleted (%s); delete it yourself", path, error.strerror)
            self._stuck.add(path)

    async def _take(self, path: Path, source: Address) -> None:
        try:
            with open(path, "rb") as file:
                message = read_message(file.read(MAX_BYTES + 1))
        except ProtocolError as error:
            self._reception.outlets.tell(source, Message(ERROR, ("", "", error.code, f"{path.name}: {error.message}")))
            return
        await self._reception.answer(message, source)


def _is_client(name: str) -> bool:
    try:
        return folder_name(name) == name
    except InvalidOption:
        return False


def _messages_in(folder: Path) -> list[Path]:
    """All of them, in the order of their names."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries
                       if entry.name.endswith(".msg") and entry.name[0] != "." and entry.is_file(follow_symlinks=False))
    return [folder / name for name in names]


class _Box:
    """One client's `out` folder. What lies there unread is not written again; of a job's progress the newest lies there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        make_folder(folder)
        make_folder(folder.with_name("in"))
        self._unread = {path.read_text(encoding="utf-8", errors="replace"): path for path in _messages_in(folder)}
        self._number = max((int(path.stem) for path in self._unread.values() if path.stem.isdecimal()), default=0)
        self._progress: dict[str, tuple[float, Path]] = {}

    def put(self, message: Message) -> bool:
        """Write a message; whether there is something to wake for."""
        if message.address == PROGRESS:
            self._put_progress(message)
            return False
        text = message_text(message)
        self._unread = {text: path for text, path in self._unread.items() if path.exists()}
        if len(self._unread) >= _UNREAD:
            _log.warning("%s holds %d unread messages; %s is not added", self._folder, len(self._unread), message.address)
        elif text not in self._unread:
            self._unread[text] = self._write(text)
        return True

    def _put_progress(self, message: Message) -> None:
        job, now = str(message.values[1]), time.monotonic()
        last_s, path = self._progress.get(job, (-_PROGRESS_S, None))
        if now - last_s < _PROGRESS_S:
            return
        if path is not None:
            path.unlink(missing_ok=True)
        self._progress = {name: told for name, told in self._progress.items() if told[1].exists()}
        self._progress[job] = now, self._write(message_text(message))

    def _write(self, text: str) -> Path:
        self._number += 1
        path = self._folder / f"{self._number:06d}.msg"
        make_folder(self._folder)
        part = self._folder / ".part"
        try:
            part.write_text(text, encoding="utf-8", newline="")
            os.replace(part, path)
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror}. Free some space.") from error
        return path


@dataclass(frozen=True)
class _Outlet:
    box: _Box
    waker: Waker
    wake: str

    def send(self, message: Message) -> None:
        if self.box.put(message):
            self.waker.wake(self.wake)
