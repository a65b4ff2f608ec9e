# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections import Counter

import pytest

from server.measure import lessons, listening
from server.measure.bench import Bench


def test_an_ear_learns_from_other_folds_and_the_corpus() -> None:
    weights = lessons.weights([0, 0, 0, 1], [-1, 0, 1, -1], ear=0)
    assert weights.tolist() == pytest.approx([1 - lessons.REAL_SHARE, 0, lessons.REAL_SHARE, 1])


def test_every_lesson_is_heard_as_it_is_and_disturbed(full_bench: Bench) -> None:
    assert full_bench.held_out is not None
    sounds = full_bench.held_out.sounds
    names = ["rain", "flute", "drum", "drone"]
    fold = {sound.sha256: number for number, sound in enumerate(sounds)}
    listen = listening.load(full_bench.held_out.packages)
    taken = lessons.taken(full_bench, names, sounds, fold, 2, listen)
    assert taken.features.shape == (2 * (6 + 8), 128) and len(taken.targets) == len(taken.folds) == 28
    assert Counter(taken.folds) == {-1: 16, **dict.fromkeys(range(6), 2)}
    for number, sound in enumerate(sounds):
        rows = [row for row, which in enumerate(taken.folds) if which == number]
        assert {names[taken.targets[row]] for row in rows} == {sound.class_name}
        assert not taken.features[rows[0]].equal(taken.features[rows[1]])
