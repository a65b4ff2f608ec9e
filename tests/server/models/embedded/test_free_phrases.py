# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from server.models.embedded.free_phrases import KNOWN, agreement, ranked, read_phrases
from server.models.embedded.soundfont import PROGRAMS
from server.models.embedded.thesaurus import THESAURUS
from server.models.embedded.vocabulary import CLASSES, NAMES

OWN = {phrase: c.name for c in CLASSES for phrase in (*c.phrases, c.name)}


def told(answers: dict[str, str]):
    """Vectors that say a class's own phrases rightly and of any other text what `answers` says, `NAMES[0]` without one."""

    def vectors(prompts: Sequence[str]) -> Tensor:
        return torch.eye(len(NAMES))[[NAMES.index(OWN.get(p) or answers.get(p, NAMES[0])) for p in prompts]]

    return vectors


def test_the_phrases_were_never_taught_and_their_classes_exist() -> None:
    taught = set(OWN) | {word for words in THESAURUS.values() for word in words}
    taught |= {phrase for c in CLASSES for _, phrases in c.recordings for phrase in phrases}
    taught |= {phrase for program in PROGRAMS for phrase in program[-1]}
    phrases = read_phrases()
    assert len({phrase for phrase, _ in phrases}) == len(phrases) >= 100
    assert not taught & {phrase for phrase, _ in phrases}
    assert all(right & set(NAMES) for _, right in phrases)


def test_the_thesaurus_speaks_of_classes_that_exist() -> None:
    assert set(THESAURUS) <= set(NAMES)


def test_agreement_counts_the_right_answers() -> None:
    right = {phrase: min(classes & set(NAMES)) for phrase, classes in read_phrases()}
    assert agreement(told(right)) == {"top1": 1, "top3": 1, "phrases": len(right)}
    half = dict(list(right.items())[::2])
    assert 0.4 < agreement(told(half))["top1"] < 0.6


def test_only_the_classes_in_use_are_asked_for() -> None:
    rain = [sound for sound in KNOWN if sound["name"] == "rain"]
    assert agreement(told({}), rain) == {"top1": 1, "top3": 1, "phrases": sum("rain" in c for _, c in read_phrases())}
    assert agreement(told({}), [{"name": "own", "phrases": ["rain"]}]) == {"phrases": 0}


def test_ranked_gives_all_classes_nearest_first() -> None:
    order = ranked(told({"a sound": "rain"}), ["a sound"])[0]
    assert order[0] == "rain" and sorted(order) == sorted(NAMES)
