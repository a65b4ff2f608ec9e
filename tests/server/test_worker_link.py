# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from server.methods.context import Progress
from server.worker_link import _Pace


def test_an_idle_worker_tells_of_no_job() -> None:
    assert _Pace(1.0, 10.0).beat() == {}


def test_the_budget_follows_the_steps() -> None:
    pace = _Pace(stall_s=1.0, first_step_s=10.0)
    pace.begin(("j", 2))
    assert (pace.beat()["phase"], pace.beat()["budget_s"], pace.beat()["attempt"]) == ("starting", 10.0, 2)
    assert pace.advance(Progress(0, 9, "sampling"))
    for step in range(1, 5):
        assert not pace.advance(Progress(step, 9, "sampling"))
    beat = pace.beat()
    assert (beat["step"], beat["n_steps"], beat["budget_s"]) == (4, 9, 1.0)
    pace._durations.extend([0.5] * 50)
    assert pace.beat()["budget_s"] == pytest.approx(10.0), "20 times the median step"


@pytest.mark.parametrize("phase", ["loading", "encoding", "decoding", "storing"])
def test_phases_without_steps_keep_the_long_budget(phase: str) -> None:
    pace = _Pace(stall_s=1.0, first_step_s=10.0)
    pace.begin(("j", 1))
    for step in range(9):
        pace.advance(Progress(step, 9, phase))
    assert pace.beat()["budget_s"] == 10.0


def test_an_end_forgets_the_job() -> None:
    pace = _Pace(1.0, 10.0)
    pace.begin(("j", 1))
    pace.begin(None)
    assert pace.beat() == {}
