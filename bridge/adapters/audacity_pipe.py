# SPDX-License-Identifier: GPL-3.0-or-later
"""Audacity's scripting pipe (mod-script-pipe): one command after the other, each answered."""

from __future__ import annotations

import json
import os
import select
import sys
import time
from typing import Any

from server.errors import RequestRefused

_OPEN_S, _HANG_UP_S, _LOOK_S = 2.0, 2.0, 0.02
_END = "BatchCommand finished:"
_HOW = ("Start Audacity (once after `athanor hosts install audacity`); if it runs, close its dialogs, and in Preferences > "
        "Modules set mod-script-pipe to Enabled and start it again.")


class AudacityPipe:
    """A connection to the Audacity that runs. Use it in a `with` block.

    Args:
        limit_s: seconds that a command may take.

    Raises:
        RequestRefused: Audacity does not listen.
    """

    def __init__(self, limit_s: float = 120.0) -> None:
        self._limit_s, self._rest = limit_s, b""
        try:
            self._from, self._to = _windows_pipes() if sys.platform == "win32" else _fifos()
        except OSError as error:
            raise RequestRefused(f"Audacity does not listen. {_HOW}", code="host_unreachable") from error

    def __enter__(self) -> AudacityPipe:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._to)
        # Audacity hangs up in its turn. Who calls before it has, speaks to the old line, which nobody reads any more.
        while sys.platform != "win32" and self._readable(_HANG_UP_S) and os.read(self._from, 65536):
            pass
        os.close(self._from)

    def do(self, command: str, **parameters: Any) -> str:
        """What Audacity says to a command of its scripting reference.

        Raises:
            RequestRefused: it refuses, or says nothing in time.
        """
        words = [f"{name}={_text(value)}" for name, value in parameters.items()]
        self._write(f"{command}: {' '.join(words)}")
        lines: list[str] = []
        while True:
            line = self._line(command)
            if line.startswith(_END):
                self._line(command)  # each answer ends with an empty line
                break
            lines.append(line)
        said = "\n".join(lines).strip()
        if "OK" not in line:
            raise RequestRefused(f"Audacity refused {command}{': ' + said if said else ''}.", code="host_refused")
        return said

    def info(self, what: str) -> list[Any]:
        """What `GetInfo` tells of Tracks, Clips or Labels. Its numbers have six digits."""
        return json.loads(self.do("GetInfo", Type=what, Format="JSON"))

    def _write(self, text: str) -> None:
        end = "\r\n\0" if sys.platform == "win32" else "\n"
        try:
            os.write(self._to, (text + end).encode())
        except OSError as error:
            raise RequestRefused(f"Audacity has gone away. {_HOW}", code="host_unreachable") from error

    def _line(self, command: str) -> str:
        deadline = time.monotonic() + self._limit_s
        while b"\n" not in self._rest:
            if not self._readable(max(0.0, deadline - time.monotonic())):
                raise RequestRefused(f"Audacity does not answer to {command} within {self._limit_s:g} s. {_HOW}",
                                     code="host_unreachable")
            got = os.read(self._from, 65536)
            if not got:
                raise RequestRefused(f"Audacity has gone away. {_HOW}", code="host_unreachable")
            self._rest += got
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode("utf-8", "replace").strip("\r\0")

    def _readable(self, within_s: float) -> bool:
        """Whether something comes in time, its end included; on Windows reading itself waits, without limit."""
        return sys.platform == "win32" or bool(select.select([self._from], [], [], within_s)[0])


def _fifos() -> tuple[int, int]:
    """From Audacity, and to it; OSError where nobody is at the other end."""
    user = os.getuid()
    # A pipe that nobody reads would hold us up
    # for ever; asked like this, it is refused.
    deadline = time.monotonic() + _OPEN_S
    while True:
        answers = None
        try:
            answers = os.open(f"/tmp/audacity_script_pipe.from.{user}", os.O_RDONLY | os.O_NONBLOCK)
            return answers, os.open(f"/tmp/audacity_script_pipe.to.{user}", os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            if answers is not None:
                os.close(answers)
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_S)


def _windows_pipes() -> tuple[int, int]:
    binary = getattr(os, "O_BINARY", 0)
    to = os.open(r"\\.\pipe\ToSrvPipe", os.O_WRONLY | binary)
    return os.open(r"\\.\pipe\FromSrvPipe", os.O_RDONLY | binary), to


def _text(value: Any) -> str:
    """A parameter's value; Audacity knows no quotation mark within a text."""
    if isinstance(value, str):
        return '"' + value.replace('"', "'").replace("\\", "\\\\").replace("\n", " ") + '"'
    return f"{value:.12f}" if isinstance(value, float) else str(value)
