# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
from itertools import combinations

import numpy as np
import pytest

from server.audio import Clip
from server.measure import separation, zerosep
from server.measure import separation_variants as variants
from server.measure.bench import Bench, NotMeasured
from server.measure.datasets.mixture import Mixture
from server.measure.datasets.offline import Instrument
from server.measure.separation import Plan

THREE = (Instrument("a flute", "flute"), Instrument("drum hits", "drum"), Instrument("rain", "rain"))
RATE = 16000


def test_true_stems_gain_as_much_as_there_is_and_the_mixture_nothing(two_tones):
    sources = list(two_tones.stems.values())
    best = separation._row(two_tones, sources, 0)
    assert min(best["gain_db"]) > 60 and best["moved"] == best["true_moved"] == [True, True]
    assert all(20 < ceiling < gain for ceiling, gain in zip(best["ceiling_db"], best["gain_db"], strict=True))
    none = separation._row(two_tones, [two_tones.clip] * 2, 0)
    assert none["gain_db"] == pytest.approx([0, 0], abs=1e-3) and none["moved"] == [False, False]
    wrong = separation._row(two_tones, sources[::-1], 0)
    assert max(wrong["gain_db"]) < -20 and wrong["moved"] == [False, False]


def test_a_set_of_which_nothing_is_left_is_not_measured(bench: Bench, monkeypatch) -> None:
    monkeypatch.setattr(separation, "opened", lambda *given, **more: iter(()))
    with pytest.raises(NotMeasured, match="No mixture of events has two stems that are heard in its 0.6 s"):
        separation._mixtures(dataclasses.replace(bench, data="events"), Plan(seconds=0.6))


def test_all_of_it_is_measured_and_told(bench: Bench) -> None:
    found = separation.measure(bench, Plan(mixtures=3, compared=1, seconds=0.6, instruments=THREE, options={"steps": 4}))
    assert list(found["pairs"]) == ["a flute + drum hits", "a flute + rain", "drum hits + rain"]
    assert found["gain_db"] == pytest.approx(np.mean([row["gain_db"] for row in found["mixtures"]]), abs=1e-3)
    assert list(found["compared"]) == variants.names()
    assert found["compared"]["ddim"] == found["compared"]["guidance 1"] != found["compared"]["ddpm"]
    rows = separation.findings(found)
    assert [row.met for row in rows[:2]] == [found["gain_db"] > 0, found["positive_pairs"] >= 0.8] and len(rows) == 4
    assert rows[2].figure.endswith("the true stems 100%") and rows[3].what.startswith("guidance")
    assert found["generation"]["clips"] == 3 and found["generation"]["against"] == 6
    table = separation.lines(found)
    assert any(line.startswith("| ddpm |") and line.endswith("| 0.384 / 4.596 / 0.609 / 0.259 |") for line in table)
    assert any("not measured. This needs the corpus" in line for line in table)
    assert any(line.startswith("| mixture through VAE and vocoder |") and "-23.07" in line for line in table)
    assert set(found["compared"]) >= set(zerosep.MUSIC)


def test_what_cannot_be_measured_says_why(bench: Bench) -> None:
    with pytest.raises(NotMeasured, match="seconds|renders up to"):
        separation.measure(bench, Plan(seconds=100.0))
    with pytest.raises(NotMeasured, match="a cello"):
        separation.measure(bench, Plan(mixtures=1, seconds=0.6))


def test_silence_is_no_stem_that_moved(two_tones):
    silent = Clip(np.zeros_like(two_tones.clip.samples), RATE)
    assert separation._moved(two_tones, [silent, silent]) == [False, False]


def test_another_set_takes_the_place_of_the_usual_one(bench: Bench) -> None:
    plan = Plan(mixtures=2, seconds=0.5, instruments=THREE)
    asked = dataclasses.replace(bench, data="events")
    found = separation._mixtures(asked, plan)
    assert [mixture.name.split(":")[0] for mixture in found] == ["1", "2"] and found[0].clip.n_samples == 8000
    with pytest.raises(NotMeasured, match="write musdb18:ROOT"):
        separation._mixtures(dataclasses.replace(bench, data="fma:here"), plan)


@pytest.mark.parametrize(("turns", "count", "named"), [
    (4, 20, 20), (1, 20, 20), (4, 60, 45), (2, 0, 0),
])
def test_comparisons_are_of_as_many_pairs_as_they_can_be(turns, count, named):
    clip = Clip(np.zeros((1, 8), np.float32), 16000)
    pairs = list(combinations("abcdefghij", 2))
    mixtures = [Mixture(clip, dict.fromkeys(pair, clip), f"{pair} {turn}", {}) for turn in range(turns) for pair in pairs]
    few = separation.few_of(mixtures, count)
    assert len(few) == count and len({tuple(mixture.stems) for mixture in few}) == named
