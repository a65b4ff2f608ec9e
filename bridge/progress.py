# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a job is, as OSC, the terminal and JSON lines tell it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One moment of a job.

    step of n_steps in this phase (0 of 0 where it has no steps). eta_s: seconds left in it, None if unknown.
    queue_position: 1 is next, None once it runs. attempt: 1, or more after a crash of the worker.
    """

    job_id: str
    phase: str
    step: int = 0
    n_steps: int = 0
    eta_s: float | None = None
    queue_position: int | None = None
    attempt: int = 0

    @property
    def fraction(self) -> float:
        """How much of the phase is done, 0 to 1."""
        return min(1.0, self.step / self.n_steps) if self.n_steps else 0.0

    @property
    def words(self) -> str:
        """The phase for people."""
        if self.queue_position:
            return f"queued, number {self.queue_position}"
        return f"{self.phase}, attempt {self.attempt}" if self.attempt > 1 else self.phase
