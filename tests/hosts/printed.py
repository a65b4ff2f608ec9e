# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program prints, as it comes, and waiting for a line of it."""

from __future__ import annotations

import re
import threading
from typing import TextIO

import pytest

_LIMIT_S = 60


class Printed:
    """The lines of a stream.

    Args:
        stream: read to its end by a thread.
        fatal: a line that matches ends every wait.
    """

    def __init__(self, stream: TextIO, fatal: str | None = None) -> None:
        self.lines: list[str] = []
        self._stream, self._fatal = stream, fatal
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._stream:
            with self._more:
                self.lines.append(line.rstrip())
                self._more.notify_all()

    @property
    def now(self) -> int:
        """The number of lines so far: what `since` is for."""
        return len(self.lines)

    def wait(self, pattern: str, *, count: int = 1, since: int = 0) -> re.Match[str]:
        """The `count`-th line from number `since` on that matches."""
        def found() -> re.Match[str] | str | None:
            if self._fatal and any(re.search(self._fatal, line) for line in self.lines):
                return "fatal"
            matches = [match for line in self.lines[since:] if (match := re.search(pattern, line))]
            return matches[count - 1] if len(matches) >= count else None

        with self._more:
            self._more.wait_for(found, _LIMIT_S)
            match = found()
        if not isinstance(match, re.Match):
            pytest.fail(f"{pattern} was not printed, but: {self.lines[-60:]}")
        return match

    def close(self) -> None:
        """Wait for the stream's end."""
        self._reader.join()
        self._stream.close()
