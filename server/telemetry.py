# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server says about itself: a JSON log on stderr, and counters that `server.stats` shows."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any, TextIO

import structlog


class Counters:
    """Named counts since the start; a name is made by its first use."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, by: int = 1) -> None:
        """Count `by` more of `name`."""
        self._counts[name] += by

    def snapshot(self) -> dict[str, int]:
        """All counts now."""
        return dict(self._counts)


class _Unbreakable:
    """A stream that is written to if it can be: a full disk or a closed terminal must not stop the server."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        try:
            self._stream.write(text)
        except OSError:
            pass

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            pass


def open_log(**context: Any) -> structlog.typing.FilteringBoundLogger:
    """A logger that writes one JSON object a line to stderr. Prompts are never given to it."""
    return structlog.wrap_logger(
        structlog.PrintLogger(file=_Unbreakable(sys.stderr)),  # type: ignore[arg-type]
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        **context,
    )
