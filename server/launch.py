# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a server in the background for whoever needs one, and say why if it cannot start."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from server.auth import Connection
from server.errors import ServerUnreachable
from server.lock import is_held
from server.settings import Paths, default_home

_START_S = 30.0
_LOOK_S = 0.05
_MAX_LOG_BYTES = 10 * 1024 * 1024
_LAST_LINES = 15


def is_running(home: Path | None = None) -> bool:
    """Whether a server lives on `home` and has said where. It may be about to end: asking it is the proof."""
    paths = Paths(home or default_home())
    return paths.connection.exists() and is_held(paths.lock)


def ensure_server(home: Path | None = None, *, arguments: Sequence[str] = (), start_s: float = _START_S) -> bool:
    """See that a server runs on `home`; returns whether one had to be started.

    The new server is detached: it outlives this process and writes to `<home>/server/log`.

    Args:
        arguments: further ones for `python -m server`.
        start_s: how long it may take until it can be talked to.

    Raises:
        ServerUnreachable: it ended at once or took too long; the message carries the end of its log.
    """
    home = home or default_home()
    if is_running(home):
        return False
    paths = Paths(home)
    try:
        paths.server.mkdir(parents=True, exist_ok=True)
        process = _spawn(paths, arguments)
    except OSError as error:
        raise ServerUnreachable(f"no server could be started on {home} ({error.strerror}: {error.filename}). Make "
                                "the folder writable for this user, or choose another with --home.") from None
    reaper = threading.Thread(target=process.wait, name="server reaper", daemon=True)
    reaper.start()  # so that it never looks alive when it is not, and outlives this process without complaint
    deadline = time.monotonic() + start_s
    while not _is_of(paths, process.pid):
        if not reaper.is_alive():
            if is_running(home):  # two were started at once, and the other won
                return False
            raise ServerUnreachable(f"the server could not start:\n{_last_words(paths.log)}")
        if time.monotonic() > deadline:
            raise ServerUnreachable(f"the server was not ready within {start_s:g} s. Its log, {paths.log}, ends:\n"
                                    f"{_last_words(paths.log)}")
        time.sleep(_LOOK_S)
    return True


def _spawn(paths: Paths, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    if paths.log.exists() and paths.log.stat().st_size > _MAX_LOG_BYTES:
        os.replace(paths.log, paths.log.with_suffix(".1"))
    options: dict[str, object] = (
        {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
        if sys.platform == "win32" else {"start_new_session": True})
    with open(paths.log, "ab") as log:
        return subprocess.Popen([sys.executable, "-m", "server", "--home", str(paths.home), *arguments],
                                stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)  # type: ignore[call-overload]


def _is_of(paths: Paths, pid: int) -> bool:
    try:
        return Connection.read(paths.connection).pid == pid
    except ServerUnreachable:
        return False


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return f"(its log {log} cannot be read: {error.strerror})"
    return "\n".join(lines[-_LAST_LINES:]) or "(its log is empty)"
