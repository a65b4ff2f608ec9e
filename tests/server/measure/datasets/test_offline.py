# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest

from server.audio import Clip, write_clip
from server.errors import InvalidOption
from server.measure.datasets.mixture import mixed
from server.measure.datasets.offline import BY_CLASS, MUSIC_LIKE, Instrument, event_mixtures, instrument_mixtures, phrase
from server.measure.held_out import HeldOut, Sound

RATE = 8000
THREE = (Instrument("a low tone", "drone", "low"), Instrument("a high tone", "flute"), Instrument("a hiss", "wind"))


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> HeldOut:
    folder, rng = tmp_path_factory.mktemp("sounds"), np.random.default_rng(0)
    time_s = np.arange(RATE) / RATE
    made = {("drone", "low-notes"): lambda k: np.sin(2 * np.pi * (110 + 10 * k) * time_s),
            ("drone", "other"): lambda k: np.sign(np.sin(2 * np.pi * 50 * time_s)),
            ("flute", "high-notes"): lambda k: np.sin(2 * np.pi * (900 + 50 * k) * time_s),
            ("wind", "hiss"): lambda k: 0.1 * rng.normal(size=RATE)}
    sounds = []
    for (name, source), make in made.items():
        for k in range(3):
            path = folder / f"{source}-{k}.wav"
            write_clip(path, Clip(0.5 * make(k)[None], RATE))
            sounds.append(Sound(path, name, source, "CC0-1.0", "", f"{len(sounds):064x}", RATE))
    return HeldOut(tuple(sounds))


def rms(clip: Clip) -> float:
    return float(np.sqrt(np.mean(clip.samples.astype(np.float64) ** 2)))


def test_the_sets_are_45_pairs_of_ten_instruments() -> None:
    for instruments in (BY_CLASS, MUSIC_LIKE):
        assert len({played.label for played in instruments}) == 10
    assert len({played.class_name for played in BY_CLASS}) == 10


def test_every_pair_comes_in_turn_at_equal_level_and_the_stems_add_up(held_out: HeldOut) -> None:
    made = instrument_mixtures(held_out, 7, instruments=THREE, per_pair=2, seconds=2.0, sample_rate=RATE)
    assert [mixture.name for mixture in made[:3]] == ["a low tone + a high tone 1", "a low tone + a hiss 1",
                                                      "a high tone + a hiss 1"]
    assert len(made) == 6 and len({mixture.clip.samples.tobytes() for mixture in made}) == 6
    for mixture in made:
        first, second = mixture.stems.values()
        assert mixture.clip.samples.shape == (1, 2 * RATE) and np.abs(mixture.clip.samples).max() == pytest.approx(0.5)
        assert np.array_equal(first.samples + second.samples, mixture.clip.samples)
        assert rms(first) == pytest.approx(rms(second), rel=1e-5)
    assert made[0].classes == {"a low tone": "drone", "a high tone": "flute"}


def test_a_mixture_is_a_function_of_seed_pair_and_turn(held_out: HeldOut) -> None:
    few, many, other = (instrument_mixtures(held_out, seed, instruments=THREE, per_pair=n, seconds=1.0, sample_rate=RATE)
                        for seed, n in ((7, 1), (7, 2), (8, 1)))
    assert np.array_equal(few[2].clip.samples, many[2].clip.samples)
    assert not np.array_equal(few[2].clip.samples, other[2].clip.samples)


def test_only_the_source_that_was_asked_for_plays(held_out: HeldOut) -> None:
    stem = instrument_mixtures(held_out, 7, instruments=THREE[:2], per_pair=1, seconds=1.0, sample_rate=RATE)[0]
    spectrum = np.abs(np.fft.rfft(stem.stems["a low tone"].samples[0]))
    assert 100 < np.argmax(spectrum) < 140, "the square waves of the other source are at 50 Hz"
    with pytest.raises(InvalidOption, match="no reed of 32000 Hz or more from a source like 'clarinet' for 'a clarinet'"):
        instrument_mixtures(
            held_out, 7, instruments=(Instrument("a clarinet", "reed", "clarinet"), THREE[0]))


def test_a_phrase_sounds_to_its_end_and_every_note_is_equally_loud() -> None:
    notes = [np.full(RATE, 0.01), np.full(RATE, 0.9)]
    made = phrase(notes, 4 * RATE, RATE, (1, 2))[0]
    heard = made[made > 0.05]
    assert len(heard) > 0.8 * len(made) and heard.max() < 0.12


def test_events_are_of_two_classes(held_out: HeldOut) -> None:
    made = event_mixtures(held_out, 3, count=5, seconds=1.5, sample_rate=RATE, classes=("drone", "wind"))
    assert [mixture.name.split(":")[0] for mixture in made] == ["1", "2", "3", "4", "5"]
    assert all(set(mixture.classes.values()) == {"drone", "wind"} for mixture in made)
    assert all(mixture.clip.n_samples == 1.5 * RATE for mixture in made)
    with pytest.raises(InvalidOption, match="needs two"):
        event_mixtures(held_out, 3, classes=("drone",))


def test_levels_and_refusals_of_a_mixture() -> None:
    a, b = np.ones((2, 100)), np.tile([1.0, -1.0], (2, 50))
    louder = mixed({"a": a, "b": b}, RATE, "x", levels_db=(6.0, 0.0))
    assert rms(louder.stems["a"]) / rms(louder.stems["b"]) == pytest.approx(10 ** 0.3, rel=1e-5)
    kept = mixed({"a": 0.1 * a, "b": 0.4 * b}, RATE, "x", levels_db=())
    assert rms(kept.stems["b"]) / rms(kept.stems["a"]) == pytest.approx(4, rel=1e-5)
    with pytest.raises(ValueError, match="audible and of one shape"):
        mixed({"a": a, "b": 0 * b}, RATE, "x")
