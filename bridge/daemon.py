# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge as a process: journal, transports and session put together, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import sqlite3
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from bridge.home import bridge_folder, home_folder, journal_path, work_folder
from bridge.journal import Journal
from bridge.placement import make_folder
from bridge.server_link import connector
from bridge.session import Session
from bridge.stages import clear_old
from bridge.transports import Transports
from server.errors import RequestRefused

_log = logging.getLogger("athanor.bridge")


@dataclass(frozen=True)
class BridgeSettings:
    """Where the bridge listens, and the import root.

    http_port: as for `Transports`. until_stdin_ends: stop when the parent process is gone.
    """

    host: str
    port: int
    root: Path
    until_stdin_ends: bool = False
    http_port: int | None = None


async def serve(settings: BridgeSettings) -> None:
    """Run the bridge until SIGINT or SIGTERM.

    Raises:
        StorageError: the port is in use, or a folder cannot be written.
        RequestRefused: another bridge uses the data folder.
    """
    make_folder(settings.root)
    make_folder(bridge_folder())
    lock = _lock(bridge_folder() / "lock.db")
    journal = Journal(journal_path())
    clear_old(work_folder())
    transports = Transports(settings.root, home_folder(), settings.host, settings.port, settings.http_port)
    connect = connector(_log.warning)
    await transports.start(journal, lambda on_progress: Session(journal, connect, work_folder(), on_progress))
    # The one line of a bridge's stdout: who started it reads the port from it.
    print(f"OSC on {settings.host}:{transports.port}, HTTP on {settings.host}:{transports.http_port}, "
          f"files in {settings.root.resolve()}", flush=True)
    try:
        await _told_to_stop(settings.until_stdin_ends)
    finally:
        await transports.close()
        journal.close()
        lock.close()


def _lock(path: Path) -> sqlite3.Connection:
    """Held as long as the connection lives; the system lets go of it when the process dies."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=0.2)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        raise RequestRefused(f"another bridge already uses this data folder ({path}: {error}). Use that one, stop it, or "
                             "choose another folder with --home.", code="already_running", retryable=False) from error
    return connection


async def _told_to_stop(until_stdin_ends: bool) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    if until_stdin_ends:
        def wait() -> None:
            sys.stdin.buffer.read()
            loop.call_soon_threadsafe(stop.set)

        threading.Thread(target=wait, name="parent", daemon=True).start()
    if sys.platform != "win32":
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
    await stop.wait()
