# SPDX-License-Identifier: GPL-3.0-or-later
"""Network evaluations, counted: what a job's progress is measured in, and what its provenance says it cost."""

from __future__ import annotations

from dataclasses import dataclass

from server.methods.context import Context, Progress


@dataclass
class Counter:
    """Network evaluations of one item, done and planned; every one is a place to show progress and to cancel."""

    context: Context
    planned: int = 0
    done: int = 0

    def __call__(self, phase: str, evaluations: int) -> None:
        self.context.on_step(Progress(self.done, max(self.planned, self.done + evaluations), phase))
        self.done += evaluations
