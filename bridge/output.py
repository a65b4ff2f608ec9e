# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command shows: for people a progress bar and sentences, for programs one JSON object per line on stdout.

With `--json` nothing but those lines goes to stdout; messages for people always go to stderr.
"""

from __future__ import annotations

import json
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

from bridge.progress import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class Output:
    """Shows one command's events. A context manager, which takes the progress bar away at the end.

    Args:
        as_json: write events as JSON lines to stdout.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._bar: Bar | None = None
        self._last_line = ""

    def __enter__(self) -> Output:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._take_bar_away()

    def event(self, event: str, **fields: Any) -> None:
        """One event for programs."""
        if self.as_json:
            print(json.dumps({"event": event, **fields}, ensure_ascii=False), flush=True)

    def result(self, text: str) -> None:
        """What the person asked for: to stdout, and nothing in its place with `--json`."""
        if not self.as_json:
            self._take_bar_away()
            print(text, flush=True)

    def say(self, text: str) -> None:
        """A sentence for the person."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def progress(self, progress: Progress) -> None:
        """How far a job is."""
        self.event("progress", job=progress.job_id, phase=progress.phase, step=progress.step,
                   n_steps=progress.n_steps, fraction=round(progress.fraction, 4), eta_s=progress.eta_s,
                   queue_position=progress.queue_position, attempt=progress.attempt)
        if self.as_json:
            return
        if sys.stderr.isatty():
            self._show_bar(progress)
        else:
            self._show_line(progress)

    def table(self, columns: list[str], rows: list[list[str]]) -> None:
        """A table for people."""
        widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
        for row in (columns, *rows):
            self.result("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def _show_line(self, progress: Progress) -> None:
        tenths = f" {100 * (10 * progress.step // progress.n_steps) // 10} %" if progress.n_steps > 1 else ""
        line = progress.words + tenths
        if line != self._last_line:
            self._last_line = line
            self.say(line)

    def _show_bar(self, progress: Progress) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"),
                            console=Console(stderr=True), transient=True)
            self._bar.add_task("", total=1, left="")
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], description=progress.words, left=_left(progress),
                         total=progress.n_steps or None, completed=progress.step)

    def _take_bar_away(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _left(progress: Progress) -> str:
    steps = f"{progress.step}/{progress.n_steps}" if progress.n_steps else ""
    if progress.eta_s is None:
        return steps
    minutes, seconds = divmod(round(progress.eta_s), 60)
    return f"{steps}  {minutes}:{seconds:02d} left"
