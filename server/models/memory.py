# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job does when memory runs out: free the models that nobody uses, then evaluate fewer rows at a time, then say so.

One ladder belongs to one job and is climbed once: what was freed stays freed and a smaller batch stays small until the job
ends, and the next job begins with full batches again. Rows of a batch do not know of each other, so the sound is the same.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from server.errors import OutOfMemory

_SIGNS = ("not enough memory", "can't allocate memory", "out of memory", "_ALLOC_FAILED")  # the last of CUDA's libraries


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is one of the several ways in which torch runs out of memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def out_of_memory(name: str, cause: str) -> OutOfMemory:
    """The error that a person sees; `cause` is what the device said."""
    said = (cause.strip() or "MemoryError").splitlines()[0]
    return OutOfMemory(f"The render with {name!r} does not fit the memory of its device ({said}). Try a shorter clip, "
                       "fewer branches, dtype float16 on a card, or a smaller model.")


class Ladder:
    """One job's climb. `name` is the model's; `free` gives back memory that no job uses and names the models unloaded."""

    def __init__(self, name: str, free: Callable[[], Sequence[str]] = tuple) -> None:
        self._name, self._free = name, free
        self._asked = False  # whether `free` was
        self._freed: Sequence[str] = ()
        self._most: int | None = None  # rows at once, where fewer than asked for

    def rows(self, evaluate: Callable[[int, int], Tensor], n: int, at_once: int | None = None) -> Tensor:
        """The answers of `evaluate(first, end)` to n rows, one after the other, [n, ...]; None is all at once.

        Raises:
            OutOfMemory: a single row does not fit.
        """
        size, first, answers = min(n, at_once or n, self._most or n), 0, []
        while first < n:
            end = min(first + size, n)
            answer, cause = _attempt(evaluate, first, end)
            if answer is None:
                size = self._climb(end - first, cause)
            else:
                answers.append(answer)
                first = end
        return answers[0] if len(answers) == 1 else torch.cat(answers)

    def record(self) -> dict[str, Any]:
        """What the climb came to, JSON values; empty where all fitted."""
        return ({"freed_models": True} if self._freed else {}) | ({"rows_at_once": self._most} if self._most else {})

    def _climb(self, size: int, cause: str) -> int:
        """The next rung: how many rows to try now."""
        gc.collect()
        if not self._asked:
            self._asked = True
            self._freed = self._free()
        elif size > 1:
            self._most = size = size // 2
        else:
            raise out_of_memory(self._name, cause)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return size


def _attempt(evaluate: Callable[[int, int], Tensor], first: int, end: int) -> tuple[Tensor | None, str]:
    """The answer, or None and the cause. The error has gone when this returns: its traceback would hold every tensor."""
    try:
        return evaluate(first, end), ""
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return None, str(error)
