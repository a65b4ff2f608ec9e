# SPDX-License-Identifier: GPL-3.0-or-later
"""The measurement runs on a model that cannot sing: what it answers is checked, not how good it is."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from server.errors import InvalidOption
from server.measure import editing, judge, mel_classifier
from server.measure.bench import NotMeasured
from server.measure.editing import Plan, gap

JUDGE = judge.Plan(corpus_clips=2, through=1, test_clips=1, course=mel_classifier.Course(steps=2))
PLAN = Plan(edits=2, strengths=(0.4, 0.8), seconds=0.4, selected=1, options={"steps": 6})


def curve(adherence: list[float], distance: list[float], clips: int = 3) -> np.ndarray:
    return np.repeat(np.stack([adherence, distance], -1)[None], clips, axis=0)


def test_the_gap_is_the_distance_between_the_curves_at_equal_adherence():
    ours, theirs = curve([0.0, 1.0, 2.0], [0.1, 0.2, 0.3]), curve([0.5, 1.5, 2.5], [0.35, 0.45, 0.55])
    found = gap(ours, theirs)
    assert found["gap"] == pytest.approx(0.2) and found["adherence"] == [0.5, 2.0]
    assert (found["inside"], found["resampled"]) == (1.0, 1.0)
    back = gap(theirs, ours)
    assert back["gap"] == pytest.approx(-0.2) and back["inside"] == back["resampled"] == 0.0


def test_the_gaps_are_told_as_the_clips_come():
    row = [{"adherence": a, "lpaps": d, "log_mel": d} for a, d in ((0.0, 0.1), (1.0, 0.2))]
    worse = [one | {"lpaps": one["lpaps"] + 0.25} for one in row]
    assert editing._so_far({"clip": [], "ddpm": [], "sdedit": []}) == ""
    found = {"clip": [row[:1]], "ddpm": [row], "sdedit": [worse]}
    assert editing._so_far(found) == "; +0.25 LPAPS nearer than sdedit so far"


def test_curves_that_cross_are_inside_in_part_and_apart_ones_are_not_compared():
    found = gap(curve([0.0, 1.0], [0.0, 1.0]), curve([0.0, 1.0], [0.5, 0.5]))
    assert found["inside"] == pytest.approx(0.5) and found["gap"] == pytest.approx(0.0, abs=1e-9)
    assert gap(curve([0.0, 1.0], [0.0, 1.0]), curve([2.0, 3.0], [0.0, 1.0])) is None


def test_every_method_has_its_curve(full_bench):
    told = []
    figures = editing.measure(replace(full_bench, report=lambda *words: told.append(words)), PLAN, JUDGE)
    assert [words[:2] for words in told][-2:] == [(0, 2), (1, 2)]
    assert json.loads(json.dumps(figures)) is not None and len(figures["edits"]) == 2
    assert all(a != b for a, b in figures["edits"])
    means = figures["means"]
    assert {name: len(points) for name, points in means.items()} == {
        "clip": 1, "round_trip": 1, "ddpm": 2, "sdedit": 2, "ddim": 2}
    for distance in editing.DISTANCES:
        assert means["clip"][0][distance] == 0.0 < means["round_trip"][0][distance]
        assert set(figures["gaps"]) == {"sdedit", "ddim"} and distance in figures["gaps"]["sdedit"]
    leak = figures["leakage"]
    assert leak["clips"] == leak["less"] == 1 and 0 < leak["pulled"] < leak["none"]
    lines = editing.lines(figures)
    assert sum(line.startswith("| ddpm |") for line in lines) == 2 and "LPAPS 4.29" in lines[-1]
    rows = editing.findings(figures)
    assert [row.what.split(",")[0] for row in rows] == [
        "ddpm against sdedit at equal adherence", "ddpm against ddim at equal adherence", "leakage out of a selection"]
    assert rows[-1].met is True


def test_an_option_that_a_method_does_not_take_is_told_first(bench):
    with pytest.raises(InvalidOption, match="ddim inverts steps of order 1"):
        editing.measure(bench, replace(PLAN, options={"order": "2"}), JUDGE)


def test_without_a_judge_it_is_not_measured(bench):
    with pytest.raises(NotMeasured):
        editing.measure(bench, PLAN, JUDGE)
