# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bridge says unasked: progress, never more than 10 Hz a job, and ends, repeated until acknowledged."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path

from bridge.imports import relative_name
from bridge.journal import Entry, Stage
from bridge.packets import Message, clamped
from bridge.placement import Placement
from bridge.progress import Progress
from bridge.routes import CANCELLED, DONE, FAILED, PROGRESS

PROGRESS_PERIOD_S = 0.1
REPEAT_AFTER_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)

Send = Callable[[str, Message], None]
"""Sends a message to the client of that name."""


def progress_message(request_id: str, progress: Progress) -> Message:
    """How far the job of a request is."""
    eta_s = -1.0 if progress.eta_s is None else float(progress.eta_s)
    return Message(PROGRESS, (request_id, progress.job_id, progress.phase, progress.queue_position or progress.step,
                              progress.n_steps, float(progress.fraction), eta_s))


def end_messages(entry: Entry, root: Path) -> list[Message]:
    """What tells a client how a job ended: one message, or one for each result."""
    request, job_id = entry.request.request_id, entry.job_id
    if entry.stage is Stage.CANCELLED:
        return [Message(CANCELLED, (request, job_id))]
    if entry.stage is Stage.FAILED:
        assert entry.error is not None
        error = entry.error
        return [Message(FAILED, (request, job_id, error["code"], int(error["retryable"]), error["message"]))]
    if not entry.placed:
        return [Message(DONE, (request, job_id, 0, 0, "", "", "", 0, 0.0, "0", 0, "zero", 0, 0, 0))]
    count = len(entry.placed)
    return [_done(request, job_id, index, count, placed, root) for index, placed in enumerate(entry.placed, 1)]


def _done(request: str, job_id: str, index: int, count: int, placed: dict, root: Path) -> Message:
    record = Placement.model_validate(placed["placement"])
    return Message(DONE, (
        request, job_id, index, count, record.role, told_name(root, placed["file"]), told_name(root, placed["record"]),
        clamped(record.start_samples), record.start_seconds, str(record.start_samples), record.start_rate,
        record.start_source, clamped(record.length_samples), record.sample_rate, record.channels))


def told_name(root: Path, path: str) -> str:
    """A result's file as clients are told: relative to the import root, or where it lay under another root."""
    return relative_name(root, Path(path)) if Path(path).resolve().is_relative_to(root.resolve()) else path


class Announcer:
    """Sends news of jobs to the clients that asked for them. Use it in one event loop.

    Args:
        send: how a message reaches a client.
        root: the import root that file names are told relative to.
        repeat_after_s: seconds between one announcement of an end and the next.
    """

    def __init__(self, send: Send, root: Path, repeat_after_s: tuple[float, ...] = REPEAT_AFTER_S) -> None:
        self._send, self._root, self._repeat_after_s = send, root, repeat_after_s
        self._repeats: dict[str, asyncio.TimerHandle] = {}
        self._last_progress: dict[str, float] = {}
        self._waiting: dict[str, tuple[asyncio.TimerHandle, Entry, Progress]] = {}

    def progress(self, entry: Entry, progress: Progress) -> None:
        """Tell how far a job is: now, or, if something was told a moment ago, the newest when the moment is over."""
        loop = asyncio.get_running_loop()
        due = self._last_progress.get(entry.job_id, -math.inf) + PROGRESS_PERIOD_S
        if entry.job_id in self._waiting:
            self._waiting[entry.job_id] = (self._waiting[entry.job_id][0], entry, progress)
        elif loop.time() >= due:
            self._tell(entry, progress)
        else:
            self._waiting[entry.job_id] = (loop.call_at(due, self._tell_waiting, entry.job_id), entry, progress)

    def end(self, entry: Entry) -> None:
        """Tell how a job ended, and again until `acknowledged`."""
        self.acknowledged(entry.job_id)
        waiting = self._waiting.pop(entry.job_id, None)
        if waiting:
            waiting[0].cancel()
        self._last_progress.pop(entry.job_id, None)
        self._repeat(entry, () if entry.acknowledged else self._repeat_after_s)

    def acknowledged(self, job_id: str) -> None:
        """Stop telling how a job ended."""
        repeat = self._repeats.pop(job_id, None)
        if repeat:
            repeat.cancel()

    def close(self) -> None:
        """Say nothing more."""
        for timer in [*self._repeats.values(), *(timer for timer, _, _ in self._waiting.values())]:
            timer.cancel()

    def _repeat(self, entry: Entry, after_s: tuple[float, ...]) -> None:
        self._repeats.pop(entry.job_id, None)
        if after_s:
            loop = asyncio.get_running_loop()
            self._repeats[entry.job_id] = loop.call_later(after_s[0], self._repeat, entry, after_s[1:])
        for message in end_messages(entry, self._root):
            self._send(entry.request.client, message)

    def _tell(self, entry: Entry, progress: Progress) -> None:
        self._last_progress[entry.job_id] = asyncio.get_running_loop().time()
        self._send(entry.request.client, progress_message(entry.request.request_id, progress))

    def _tell_waiting(self, job_id: str) -> None:
        _, entry, progress = self._waiting.pop(job_id)
        self._tell(entry, progress)
