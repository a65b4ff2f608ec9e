# SPDX-License-Identifier: GPL-3.0-or-later
"""The measurement runs on a model that cannot sing: what it answers is checked, not how good it is."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import pytest

from server.measure import fusion_window
from server.measure.bench import NotMeasured
from server.measure.fusion_window import Plan, pairs, spearman
from server.models.base import FusionWindow


def test_rank_correlation():
    assert spearman([1, 2, 3, 4], [10, 20, 30, 45]) == pytest.approx(1.0)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)
    assert spearman([1, 2, 3], [5, 5, 5]) == 0.0
    # By hand: ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4 have the correlation 4.5 / sqrt(4.5 * 5).
    assert spearman([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(4.5 / (4.5 * 5) ** 0.5)


def test_pairs_are_of_two_classes_and_use_every_sound_before_one_again(sounds):
    drawn = list(pairs(sounds.sounds, 6, seed=1))
    assert all(first.class_name != second.class_name for first, second in drawn)
    assert len({sound.path for pair in drawn[:2] for sound in pair}) == 4
    assert drawn == list(pairs(sounds.sounds, 6, seed=1))
    with pytest.raises(NotMeasured, match="two classes"):
        list(pairs(sounds.of("rain"), 1, seed=1))


@pytest.fixture(scope="module")
def measured(studio, sounds, tmp_path_factory):
    told = []
    bench = fusion_window.Bench(studio, tmp_path_factory.mktemp("bench"), held_out=sounds, seed=5,
                                report=lambda *words: told.append(words))
    plan = Plan(pairs=2, levels=3, seconds=0.4, learned=1, options={"steps": 12}, learn={"learn_steps": 2, "rank": 2})
    return fusion_window.measure(bench, plan), told


def test_every_pair_has_its_curve_and_the_medians_are_theirs(measured):
    figures, told = measured
    assert json.loads(json.dumps(figures))["plan"]["pairs"] == 2
    assert [words[:2] for words in told] == [(0, 3), (1, 3), (2, 3)]
    assert [len(row["snr_db"]) for row in figures["pairs"]] == [3, 3]
    # A decibel below the model's window of -23 to -2 dB, and 14 above it, to one of twelve steps.
    assert [row["snr_db"][0] for row in figures["pairs"]] == pytest.approx([-24, -24], abs=4)
    assert [row["snr_db"][2] for row in figures["pairs"]] == pytest.approx([12, 12], abs=4)
    assert any("window of -23 to -2 dB" in row for row in fusion_window.lines(figures))
    assert figures["rise"] == pytest.approx(sum(row["rise"] for row in figures["pairs"]) / 2, abs=1e-4)
    assert all(-1 <= row[name] <= 1 for row in figures["pairs"] for name in ("rise", "fall"))
    assert figures["compared"] == 2
    assert all(value >= 0 for kinds in figures["left_nat"].values() for value in kinds.values())
    assert len(figures["learned"]["pairs"]) == 1


def test_it_is_told_as_rows_of_the_table_and_as_markdown(measured):
    figures, _ = measured
    rows = fusion_window.findings(figures)
    assert len(rows) == 4
    good = figures | {"rise": 0.95, "fall": -0.92}
    assert [fusion_window.findings(one)[0].met for one in (good, good | {"fall": -0.5})] == [True, False]
    assert sum(line.startswith("| rain") or line.startswith("| flute") or line.startswith("| drum")
               for line in fusion_window.lines(figures)) == 2


def test_levels_stay_within_the_schedule_but_for_its_last_steps(bench):
    assert fusion_window._levels(bench.backbone, Plan(levels=3)) == pytest.approx((-24, -6, 12))
    facts = dataclasses.replace(bench.backbone.facts, fusion=FusionWindow(-6.0, 15.0, 0.0))
    backbone = SimpleNamespace(facts=facts, levels=bench.backbone.levels)
    ends = bench.backbone.levels(12, "even").snr_db
    low, high = fusion_window._levels(backbone, Plan(levels=2, options={"steps": "12"}))
    assert low == -7 and high == pytest.approx(float(ends[9])) and high < 29


def test_without_held_out_sounds_it_says_how_to_get_them(bench):
    with pytest.raises(NotMeasured, match="server.measure.fetch"):
        fusion_window.measure(dataclasses.replace(bench, held_out=None))
