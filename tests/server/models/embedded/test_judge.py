# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
import torch

from server.models.embedded.corpus import ITEM_SAMPLES, Corpus
from server.models.embedded.judge import Lessons, clips_of, even_rows, hear, targets, train_judge
from server.models.embedded.vocabulary import CLASSES, NAMES


@pytest.fixture(scope="module")
def tones() -> Corpus:
    """Two classes that anyone can tell apart: low hums and high hiss, 12 clips of each per split."""
    rng, audio, items = np.random.default_rng(0), [], []
    time = np.arange(ITEM_SAMPLES) / 16000
    for split in ("judge", "test"):
        for number in range(12):
            hum = np.sin(2 * np.pi * rng.uniform(80, 200) * time)
            hiss = np.diff(rng.standard_normal(ITEM_SAMPLES + 1)) / 4
            for name, sound in (("drone", hum), ("rain", hiss)):
                audio.append((sound / np.abs(sound).max() * 20000).astype(np.int16))
                items.append({"class": NAMES.index(name), "kind": "synthesis", "split": split, "words": (),
                              "source": f"{split}-{name}-{number}", "phrases": CLASSES[NAMES.index(name)].phrases})
    return Corpus(np.stack(audio), items, frozenset({NAMES.index("drone"), NAMES.index("rain")}))


def test_it_tells_apart_what_is_different(tones: Corpus) -> None:
    judge = train_judge(tones, Lessons(epochs=10, batch=8))
    rows = even_rows(tones, "test", 12, seed=0)
    heard = hear(judge, clips_of(tones, rows, 81920))
    assert (heard == targets(tones, rows)).float().mean() > 0.9


def test_the_seed_makes_the_judge(tones: Corpus) -> None:
    one, same = (train_judge(tones, Lessons(epochs=1, batch=8), per_class=2).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], same[key]) for key in one)


def test_rows_are_even_over_classes_and_kinds(corpus: Corpus) -> None:
    rows = even_rows(corpus, "test", 2, seed=0)
    assert targets(corpus, rows).tolist() == [0, 0, 1, 1, 2, 2]
    assert {corpus.items[row]["split"] for row in rows} == {"test"}


def test_a_class_without_clips_is_named(corpus: Corpus) -> None:
    lacking = Corpus(corpus.audio, corpus.items, corpus.classes | {NAMES.index("dog")})
    with pytest.raises(ValueError, match="no test clips of class"):
        even_rows(lacking, "test", 1, seed=0)
