# SPDX-License-Identifier: GPL-3.0-or-later
"""A command whose work runs in a process of its own (`server.telling`): start it, show what it tells, stop it by Ctrl-C.

So the command itself needs no torch, and a crash of the work is one sentence to the person.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import IO, Any

from bridge.output import Output
from bridge.progress import Progress
from server.errors import JobFailed, from_wire

INTERRUPTED = 130
_PATIENCE_S = 60.0


def run_work(module: str, words: Sequence[str], output: Output, on_event: Callable[[dict[str, Any]], None]) -> int:
    """Run `python -m module words` to its end and return 0, or 130 when a Ctrl-C ended it.

    Progress and sentences are shown; every other event goes to `on_event`.

    Raises:
        AthanorError: as the work failed. JobFailed if it ended without saying why.
    """
    environment = {"OMP_WAIT_POLICY": "PASSIVE"} | os.environ
    # A session of its own, so that a Ctrl-C in the terminal reaches this process alone; the end of stdin tells the work.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
        process = subprocess.Popen([sys.executable, "-m", module, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=complaints, text=True, encoding="utf-8", env=environment,
                                   start_new_session=sys.platform != "win32")
        with process:
            failure, was_stopped = _follow(process, output, on_event)
        if failure is not None:
            raise from_wire(failure)
        if was_stopped:
            return INTERRUPTED
        if process.returncode:
            raise JobFailed(f"the work ended by itself (exit code {process.returncode}): {_last_words(complaints)}")
    return 0


def _follow(process: subprocess.Popen[str], output: Output,
            on_event: Callable[[dict[str, Any]], None]) -> tuple[dict[str, Any] | None, bool]:
    """Show what the process tells until it ends: its error, if any, and whether it was stopped."""
    failure: dict[str, Any] | None = None
    assert process.stdout is not None and process.stdin is not None
    was_stopped = False
    while True:
        try:
            for line in process.stdout:
                event = json.loads(line)
                name = event.pop("event")
                if name == "progress":
                    output.progress(Progress("work", **event))
                elif name == "say":
                    output.say(event["text"])
                elif name == "error":
                    failure = event
                else:
                    on_event({"event": name, **event})
            process.wait(_PATIENCE_S)
            return failure, was_stopped
        except KeyboardInterrupt:
            if was_stopped:
                process.kill()
                raise
            was_stopped = True
            output.say("stopping ...")
            process.stdin.close()
        except subprocess.TimeoutExpired:
            process.kill()


def _last_words(complaints: IO[str]) -> str:
    complaints.seek(0)
    lines = complaints.read().strip().splitlines()
    return lines[-1] if lines else "it said nothing."
