# SPDX-License-Identifier: GPL-3.0-or-later
"""The event loop that everything here runs in: the one kind that can poll ZeroMQ on Windows too."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end. A first Ctrl-C cancels it, a second one raises KeyboardInterrupt."""
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(work)
