# SPDX-License-Identifier: GPL-3.0-or-later
"""The measurement runs on a model that cannot sing: what it answers is checked, not how good it is."""

from __future__ import annotations

import json

import pytest

from server.measure import edit_start, judge, mel_classifier
from server.measure.bench import NotMeasured
from server.measure.edit_start import PICTURE, Plan

JUDGE = judge.Plan(corpus_clips=2, through=1, test_clips=1, course=mel_classifier.Course(steps=2))
PLAN = Plan(clips=2, seconds=0.4, steps=8, t_start=(100, 40))


def test_every_start_has_its_means_and_the_first_clip_its_picture(full_bench):
    figures = json.loads(json.dumps(edit_start.measure(full_bench, PLAN, JUDGE)))
    assert figures["plan"]["t_start"] == [40, 100] and figures["snr_db"] == [2.2, -8.7]
    assert len(figures["edits"]) == 2 and len(figures["means"]) == 2
    assert all(one["lpaps"] > 0.0 > one["adherence"] for one in figures["means"])
    assert (full_bench.folder / PICTURE).stat().st_size > 1000
    assert [line.split(" | ")[:2] for line in edit_start.lines(figures)[2:4]] == [["| 40", "2.2"], ["| 100", "-8.7"]]


def test_orderings_are_judged_as_the_paper_states_them():
    figures = {"plan": {"t_start": [40, 60, 80]}, "edits": [["a", "b"]],
               "means": [{"lpaps": d, "adherence": a} for d, a in ((0.1, -3.0), (0.2, -2.0), (0.3, -1.0))]}
    assert [row.met for row in edit_start.findings(figures)] == [True, True]
    figures["means"][2] = {"lpaps": 0.2, "adherence": -4.0}
    assert [row.met for row in edit_start.findings(figures)] == [False, False]


def test_without_a_judge_it_is_not_measured(bench):
    with pytest.raises(NotMeasured):
        edit_start.measure(bench, PLAN, JUDGE)
