# SPDX-License-Identifier: GPL-3.0-or-later
"""One worker process: start it, hear its stderr, know when and why it ended, end it; and when to try again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

TAIL_LINES = 50
# glibc gives a freed clip's memory back to the system and faults it in again for the next one, page by page: 8 ms of a
# 10 s clip's 20 ms between submit and result. With 32 MiB of slack it does not. Other systems ignore the name.
_KEEP_FREED_MEMORY = {"MALLOC_TOP_PAD_": str(32 * 1024 * 1024)}
DEVICE_FAULT = 70  # exit status of a worker whose device context is beyond repair


@dataclass
class Backoff:
    """How long to wait before the next start, and whether starting has become hopeless.

    Doubles from `first_s` to `last_s` with each end that comes sooner than `stable_s` after the start.
    """

    first_s: float
    last_s: float
    stable_s: float
    failed_starts: int
    window_s: float
    _next_s: float = 0.0
    _failures: deque[float] = field(default_factory=deque)

    def ended(self, *, lived_s: float, was_ready: bool, now: float) -> float:
        """A worker ended; seconds to wait before the next start. A first crash of a stable worker waits least."""
        if not was_ready:
            self._failures.append(now)
        if lived_s >= self.stable_s or self._next_s == 0.0:
            self._next_s = self.first_s
        wait_s = self._next_s
        self._next_s = min(self.last_s, 2 * self._next_s)
        return wait_s

    def started(self) -> None:
        """A worker became ready: past failures to start are forgotten."""
        self._failures.clear()

    def is_degraded(self, now: float) -> bool:
        """Whether too many starts failed within the window."""
        while self._failures and self._failures[0] < now - self.window_s:
            self._failures.popleft()
        return len(self._failures) >= self.failed_starts


class WorkerProcess:
    """A child in its own process group. Create it in the loop's thread, which must be the main one: on Linux the worker
    asks the kernel to die with the thread that spawned it."""

    def __init__(self, bootstrap: bytes, on_stderr: Callable[[str], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._on_stderr = on_stderr
        self.started = time.monotonic()
        self._ended = asyncio.Event()
        options: dict[str, object] = (
            {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if sys.platform == "win32" else
            {"start_new_session": True})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "server.worker"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, env=os.environ | _KEEP_FREED_MEMORY, **options)  # type: ignore[call-overload]
        self.pid: int = self._process.pid
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(bootstrap + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:  # it died at once; `wait` tells why
            pass
        self._pump = threading.Thread(target=self._read_stderr, name="worker stderr", daemon=True)
        self._pump.start()
        threading.Thread(target=self._await_end, name="worker end", daemon=True).start()

    def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            text = line.decode("utf-8", "replace").rstrip()
            self._tail.append(text)
            self._on_stderr(text)
        self._process.stderr.close()

    def _await_end(self) -> None:
        self._process.wait()
        self._pump.join(timeout=1.0)  # a grandchild may keep stderr open; what was said by now is enough
        try:
            self._loop.call_soon_threadsafe(self._ended.set)
        except RuntimeError:  # the loop has been closed
            pass

    @property
    def has_ended(self) -> bool:
        return self._ended.is_set()

    async def wait(self) -> None:
        """Until the process has ended and its last words are read."""
        await self._ended.wait()

    def tail(self) -> str:
        """Its last lines on stderr."""
        return "\n".join(self._tail)

    def how_it_ended(self) -> str:
        """The end in words: signal or exit status."""
        status = self._process.returncode
        if status is None:
            return "still running"
        if status == DEVICE_FAULT:
            return "a device error left the worker unusable"
        if status >= 0:
            return f"the worker exited with status {status}"
        try:
            return f"the worker was ended by {signal.Signals(-status).name}"
        except ValueError:
            return f"the worker was ended by signal {-status}"

    def kill(self) -> None:
        """End it and its children now."""
        self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))

    def terminate(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        if self._process.poll() is not None:
            return
        try:
            if sys.platform == "win32":
                self._process.terminate()
            else:
                os.killpg(self.pid, number)
        except ProcessLookupError:
            pass

    def close(self) -> None:
        """Release the pipe to an ended process."""
        if self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except OSError:
                pass
