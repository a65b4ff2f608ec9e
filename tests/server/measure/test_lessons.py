# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections import Counter

import pytest

from server.measure import lessons, listening
from server.measure.bench import Bench


def test_an_ear_learns_from_other_folds_and_the_corpus() -> None:
    weights = lessons.weights([0, 0, 0, 1], [-1, 0, 1, -1], ear=0)
    assert weights.tolist() == pytest.approx([1 - lessons.REAL_SHARE, 0, lessons.REAL_SHARE, 1])


def test_every_lesson_has_its_class_and_fold(full_bench: Bench) -> None:
    assert full_bench.held_out is not None
    sounds = full_bench.held_out.sounds
    names = ["rain", "flute", "drum", "drone"]
    fold = {sound.sha256: number for number, sound in enumerate(sounds)}
    taken = lessons.taken(full_bench, names, sounds, fold, 2, listening.load(full_bench.held_out.packages))
    assert taken.features.shape == (6 + 8, 128) and taken.mels.shape == (14, lessons.LONGER // 1280, 64)
    assert taken.folds == [*range(6), *[-1] * 8]
    assert [names[target] for target in taken.targets[:6]] == [sound.class_name for sound in sounds]
    assert Counter(taken.targets[6:]) == dict.fromkeys(range(4), 2)
