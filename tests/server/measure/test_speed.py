# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import dataclasses
from types import SimpleNamespace

import pytest

from server.measure import fusion_window, generated, learn_gap, speed
from server.measure.bench import NotMeasured
from server.measure.speed import Plan


def test_jobs_are_timed_without_held_out_sounds(bench):
    told = []
    bench = dataclasses.replace(bench, held_out=None, report=lambda *words: told.append(words))
    figures = speed.measure(bench, Plan(repeats=1, jobs=("generate",)))
    found = figures["jobs"]["generate"]
    assert found["seconds"] > 0
    assert abs(found["of_real_time"] - found["seconds"] / 5) < 0.01
    assert told == [(0, 1, "warming up"), (0, 1, "generate, 25 steps")]


def test_a_part_says_so_where_the_model_is_too_short_for_it(full_bench):
    backbone = copy.copy(full_bench.backbone)
    backbone.facts = dataclasses.replace(backbone.facts, name="brief", max_s=1.5)
    bench = dataclasses.replace(full_bench, studio=SimpleNamespace(backbone=backbone))
    parts = (speed.measure, fusion_window.measure, learn_gap.measure,
             lambda bench: generated.generated(bench, ["rain"], generated.Plan()))
    for measure in parts:
        with pytest.raises(NotMeasured, match=r"clips of [35] s; brief renders up to 1.50 s"):
            measure(bench)


def test_the_aims_hold_on_the_seconds_alone():
    machine = {"device": "cpu", "cores": 2, "threads": 1, "busy": 0.5}
    figures = {"machine": machine, "jobs": {"generate": {"seconds": 9.9, "of_real_time": 1.98},
                                            "fuse": {"seconds": 20.1, "of_real_time": 4.02},
                                            "sweep": {"seconds": 90.0, "of_real_time": 18.0}}}
    assert [(row.what, row.met) for row in speed.findings(figures)] == [
        ("speed: 5 s generate, 25 steps", True), ("speed: 5 s fuse without learning", False)]
    assert len(speed.lines(figures)) == 5
