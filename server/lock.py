# SPDX-License-Identifier: GPL-3.0-or-later
"""One server per data folder: a file lock that the system releases when its holder dies, however it dies."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from server.errors import RequestRefused

_LOOK_S = 0.05


class FolderLock:
    """Holds `path` locked from creation to `release`; its text is the holder's process id.

    Waits `patience_s` for a holder that is about to end.

    Raises:
        RequestRefused: another process holds it.
    """

    def __init__(self, path: Path, patience_s: float = 2.0) -> None:
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + patience_s
        while not _try_lock(self._fd):
            if time.monotonic() < deadline:
                time.sleep(_LOOK_S)
                continue
            holder = _read_pid(path)
            os.close(self._fd)
            raise RequestRefused(
                f"another server (process {holder}) already uses this data folder; it holds {path}. Use that one, stop it "
                "with `athanor stop`, or choose another folder with --home.", code="already_running", retryable=False)
        os.lseek(self._fd, 1, os.SEEK_SET)  # Windows locks the first byte: the number stands behind it
        os.write(self._fd, f"{os.getpid():<20}".encode())

    def release(self) -> None:
        """Unlock. The file stays: removing it would let two servers lock two files of one name."""
        os.close(self._fd)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock: the one proof that a server lives, where a process id may be another's by now."""
    try:
        fd = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _try_lock(fd)
    finally:
        os.close(fd)


def _read_pid(path: Path) -> str:
    try:
        return path.read_text().strip("\0 ") or "unknown"
    except OSError:  # on Windows the locked byte cannot be read
        return "unknown"


def _try_lock(fd: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
