# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from server.measure import judge as judges
from server.measure import stem_classes
from server.measure.bench import Bench
from server.measure.mel_classifier import Course

HASTY = judges.Plan(corpus_clips=4, through=1, test_clips=1, course=Course(steps=10))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the judge is kept, so that it learns once."""
    return tmp_path_factory.mktemp("judge")


@pytest.fixture
def judged(full_bench: Bench, kept: Path) -> Bench:
    return dataclasses.replace(full_bench, folder=kept)


def _nothing(number: int, name: str) -> None:
    pass


def test_a_stem_has_moved_if_its_class_rose_and_every_other_fell():
    before = np.array([-1.0, -2.0])
    assert stem_classes.moved(before, np.array([[-0.5, -1.5], [-2.5, -1.0]])) == [True, True]
    assert stem_classes.moved(before, np.array([[-0.5, -0.5], [-1.5, -1.0]])) == [False, False]
    assert stem_classes.moved(before, np.array([[-1.0, -1.0], [-2.0, -2.0]])) == [False, False]


def test_true_stems_reach_their_own_ceiling_and_the_mixture_nothing(judged: Bench):
    true = stem_classes.measure(judged, lambda mixture: list(mixture.stems.values()), 2, 0.5, 16000, HASTY, _nothing)
    assert true["listener"] == "the judge" and len(true["mixtures"]) == 2
    assert true["moved"] == true["ceiling"] and [row["moved"] for row in true["mixtures"]] == [
        row["true"] for row in true["mixtures"]]
    none = stem_classes.measure(judged, lambda mixture: [mixture.clip] * 2, 2, 0.5, 16000, HASTY, _nothing)
    assert none["moved"] == none["toward"] == none["of_true"] == 0 and none["ceiling"] == true["ceiling"] > 0
    assert f"of the true stems {true['ceiling']:.0%} have" in stem_classes.line(true)


def test_a_class_is_heard_by_the_ear_that_has_not_learned_from_its_recording(judged: Bench):
    told = judges.judge_of(judged, HASTY)
    name, listen, _ = stem_classes._listener(judged, HASTY)
    first, second = (judged.held_out.of(name)[0] for name in ("rain", "flute"))
    clips = [first.clip(16000), second.clip(16000)]
    each = told.by_ear(clips)
    wanted = [each[told.fold[sound.sha256], :, told.names.index(sound.class_name)].numpy() for sound in (first, second)]
    assert np.array_equal(listen(clips, [first, second]), np.stack(wanted)) and name == "the judge"
    assert np.allclose(told.of_clips(clips), each.mean(0), atol=1e-6)


def test_without_a_corpus_or_with_one_class_it_says_why(bench: Bench, monkeypatch):
    assert "corpus" in stem_classes.measure(bench, list, 2, 0.5, 16000, None, _nothing)["not_measured"]
    monkeypatch.setattr(stem_classes, "_listener", lambda bench, judge: ("the judge", None, ["rain"]))
    alone = stem_classes.measure(bench, list, 2, 0.5, 16000, HASTY, _nothing)
    assert "a mixture needs two" in alone["not_measured"]
    assert stem_classes.line(alone).startswith("Toward the class asked for: not measured.")
    assert stem_classes.measure(bench, list, 0, 0.5, 16000, None, _nothing)["not_measured"].startswith("No mixtures")
