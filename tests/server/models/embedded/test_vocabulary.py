# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from server.models.embedded.corpus import SYNTHS
from server.models.embedded.soundfont import PROGRAMS
from server.models.embedded.vocabulary import CLASSES, CORE, EXAMPLES, NAMES, TEMPLATES, class_of_recording


def test_every_class_has_phrases_and_something_to_be_learned_from() -> None:
    played = {program[0] for program in PROGRAMS}
    for sound in CLASSES:
        assert len(sound.phrases) >= 3 and sound.weight > 0
        assert all(phrase and phrase == phrase.strip().lower() or "FM" in phrase for phrase in sound.phrases)
        assert sound.name in SYNTHS or sound.name in played or sound.recordings


def test_names_are_one_of_a_kind() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert set(SYNTHS) <= set(NAMES)
    assert {program[0] for program in PROGRAMS} <= set(NAMES)
    assert all("{x}" in template for template in TEMPLATES)


def test_the_card_asks_for_every_class_of_the_model_once() -> None:
    assert set(CORE) <= set(NAMES)
    assert sorted(name for _, name in EXAMPLES) == sorted(CORE)


@pytest.mark.parametrize(("label", "file", "name"), [
    ("church_bells", "a.ogg", "bell"), ("rain", "1-26222-A-10.ogg", "rain"), ("dog_bark", "x.wav", "dog"),
    ("sea_waves", "x.wav", "sea"), ("chainsaw", "x.wav", "chainsaw"), ("rainbow", "x.wav", None),
])
def test_recordings_find_their_class(label: str, file: str, name: str | None) -> None:
    found = class_of_recording(label, file)
    assert (NAMES[found[0]] if found else None) == name
    assert found is None or found[1]
