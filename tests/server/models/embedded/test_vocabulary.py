# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from server.models.embedded.corpus import SYNTHS
from server.models.embedded.soundfont import PROGRAMS
from server.models.embedded.vocabulary import CLASSES, GROUPS, NAMES, TEMPLATES, class_of_recording


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


def test_every_class_is_in_a_group_and_has_an_example_of_its_own() -> None:
    assert {sound.group for sound in CLASSES} == set(GROUPS)
    assert len({sound.example for sound in CLASSES}) == len(CLASSES)
    for sound in CLASSES:
        own = [phrase for _, phrases in sound.recordings for phrase in phrases]
        known = {word for phrase in (sound.name, *sound.phrases, *own) for word in phrase.lower().split()}
        assert set(sound.example.split()) <= known | {"a", "an"}, sound.example


def test_instruments_are_asked_for_by_their_own_names() -> None:
    said = " ".join(phrase for program in PROGRAMS for phrase in program[-1])
    instruments = ("piano, pipe organ, accordion, acoustic guitar, electric guitar, harp, banjo, mandolin, ukulele, "
                   "violin, cello, choir, trumpet, tuba, trombone, saxophone, clarinet, flute, xylophone, marimba, "
                   "tubular bell, drums")
    for instrument in instruments.split(", "):
        assert instrument in said


@pytest.mark.parametrize(("label", "file", "name"), [
    ("church_bells", "a.ogg", "bell"), ("rain", "1-26222-A-10.ogg", "rain"), ("dog_bark", "x.wav", "dog"),
    ("sea_waves", "x.wav", "sea"), ("chainsaw", "x.wav", "chainsaw"), ("rainbow", "x.wav", None),
    ("female speech", "x.wav", "female speech"), ("male speech", "x.wav", "male speech"), ("night rain", "a.ogg", "rain"),
])
def test_recordings_find_their_class(label: str, file: str, name: str | None) -> None:
    found = class_of_recording(label, file)
    assert (NAMES[found[0]] if found else None) == name
    assert found is None or found[1]
