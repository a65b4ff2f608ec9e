# SPDX-License-Identifier: GPL-3.0-or-later
"""What a worker keeps from one job to the next, so that a second edit of a clip need not begin anew. No torch."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any


class Cache:
    """Values by key, at most `budget_bytes` of them; the least recently used goes first.

    A value must never be changed once it is in here: the next job is given the same object.
    """

    def __init__(self, budget_bytes: int = 2**30) -> None:
        self._budget_bytes = budget_bytes
        self._kept: OrderedDict[str, tuple[Any, int]] = OrderedDict()

    def get(self, key: str) -> Any | None:
        """The value, which is then the most recently used; None where there is none."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def put(self, key: str, value: Any, n_bytes: int) -> None:
        """Keep a value of `n_bytes`; one that is larger than the whole budget is not kept."""
        self._kept.pop(key, None)
        if n_bytes > self._budget_bytes:
            return
        while self._kept and self.used_bytes + n_bytes > self._budget_bytes:
            self._kept.popitem(last=False)
        self._kept[key] = (value, n_bytes)

    @property
    def used_bytes(self) -> int:
        """What is kept, in bytes."""
        return sum(n_bytes for _, n_bytes in self._kept.values())

    def clear(self) -> None:
        """Keep nothing."""
        self._kept.clear()
