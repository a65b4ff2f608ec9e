# SPDX-License-Identifier: GPL-3.0-or-later
"""The inside of a command's own process: work that takes minutes to hours tells the command what happens, line by line.

stdout carries one JSON object per line: `progress` (phase, step, n_steps, eta_s), `say` (text for the person), `error` (as
`AthanorError.to_wire`) at the end of work that failed, and whatever else the work has to tell. What libraries print goes to
stderr. The end of stdin, where that is a pipe, is a Ctrl-C here: it comes when the command ends, however it ends. No torch.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

from server.errors import AthanorError

OK, FAILED, STOPPED = 0, 1, 130
Tell = Callable[..., None]
"""`tell(event, **fields)`, the fields in JSON values."""


def told(work: Callable[[Tell], None]) -> int:
    """Do the work of this process, at low priority, and give its exit code: 0, 1 after an error, 130 after a Ctrl-C."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lock = threading.Lock()

    def tell(event: str, **fields: Any) -> None:
        with lock:
            stream.write(json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n")
            stream.flush()

    _give_way()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background work with it ignored
    if stat.S_ISFIFO(os.fstat(0).st_mode):  # a command's pipe, not a terminal nor the null device of a shell's background
        threading.Thread(target=_await_end, name="end of stdin", daemon=True).start()
    try:
        work(tell)
    except AthanorError as error:
        tell("error", **error.to_wire())
        return FAILED
    except KeyboardInterrupt:
        return STOPPED
    finally:  # the command may be gone before this process is, which is no reason to stop any more
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return OK


class Eta:
    """Seconds left of counted work, from how long it has taken since this was made."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def left_s(self, done: int, total: int) -> float | None:
        """Seconds left when `done` of `total` is done; None where nothing is done yet."""
        return (time.monotonic() - self._begun) / done * (total - done) if done > 0 else None


def _give_way() -> None:
    """Let a DAW on the same machine go first."""
    process = psutil.Process()
    if sys.platform == "win32":
        process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        process.nice(max(10, process.nice()))


def _await_end() -> None:
    while os.read(0, 4096):
        pass
    if sys.platform == "win32":
        signal.raise_signal(signal.SIGINT)
    else:  # to the main thread itself, so that a sleep or a read there ends at once
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
