# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from server.audio import Clip, write_clip
from server.errors import InvalidOption
from server.measure.datasets.davis import SECONDS, ave, class_of, music, rendered

RATE = 11025
IDS = ("EsfJpLbBeb4", "-en7GAdXAQk", "M-fNi-L59Gk", "k6SR8d5y6o8")


def ramp(seconds: float, level: float = 1.0) -> Clip:
    """Samples that tell their time: t / 10 s, times a level."""
    return Clip(level * np.arange(round(seconds * RATE))[None] / (10 * RATE), RATE)


@pytest.fixture
def ave_set(tmp_path: Path) -> tuple[Path, Path]:
    for k, name in enumerate(IDS):
        write_clip(tmp_path / f"{name}.wav", ramp(10, 0.5 + 0.1 * k))
    labels = ("Church bell", '"Male speech, man speaking"', "Church bell", "Bark")
    index = tmp_path / "val.csv"
    index.write_text("".join(f"{name}.wav,{name}.mp4,12,{label}\n" for name, label in zip(IDS, labels, strict=True)))
    return tmp_path, index


def test_ave_draws_the_second_sound_as_davis_does(ave_set: tuple[Path, Path]) -> None:
    found = list(ave(*ave_set))
    assert len(found) == 4 and found[1].name.startswith("-en7GAdXAQk-Male speech, man speaking+")
    names = ("Church bell", "Male speech, man speaking", "Church bell", "Bark")
    for number, mixture in enumerate(found):
        random.seed(number)
        drawn = random.randint(0, 3)
        while names[drawn] == names[number]:
            drawn = random.randint(0, 3)
        assert list(mixture.stems) == [names[number], names[drawn]]


def test_six_seconds_around_the_fifth_and_the_mixture_is_the_mean(ave_set: tuple[Path, Path]) -> None:
    mixture = next(ave(*ave_set))
    first, second = mixture.stems.values()
    assert mixture.clip.n_samples == round(SECONDS * RATE) == 65535
    assert first.samples[0, [0, -1]] == pytest.approx(0.25 * np.array([5 - SECONDS / 2, 5 + SECONDS / 2]) / 10, abs=1e-4)
    assert np.array_equal(mixture.clip.samples, first.samples + second.samples)


def test_music_takes_the_class_from_the_folder_and_repeats_what_is_short(tmp_path: Path) -> None:
    for folder, seconds in (("acoustic_guitar", 2), ("tuba", 20)):
        (tmp_path / "audio" / folder).mkdir(parents=True)
        write_clip(tmp_path / "audio" / folder / "x.wav", ramp(seconds, 0.4))
    index = tmp_path / "val.csv"
    index.write_text("./data/audio/acoustic_guitar/x.wav,./data/frames/acoustic_guitar/x.mp4,1580\n"
                     "./data/audio/tuba/x.wav,./data/frames/tuba/x.mp4,493\n")
    first, second = music(tmp_path / "audio", index)
    assert list(first.stems) == ["acoustic guitar", "tuba"] and list(second.stems) == ["tuba", "acoustic guitar"]
    assert second.stems["tuba"].samples[0, 0] == pytest.approx(0.2 * (10 - SECONDS / 2) / 10, abs=1e-4)
    short = first.stems["acoustic guitar"].samples[0]
    assert short[:100] == pytest.approx(short[2 * RATE:2 * RATE + 100], abs=1e-6)


def test_classes_of_rendered_folders() -> None:
    assert class_of("-0O7GsELcIQ-Male speech, man speaking") == "Male speech, man speaking"
    assert class_of("accordion-QaOUijKCqZU") == "accordion" and class_of("cello--Gdh8N_KpLY") == "cello"
    assert class_of("sample_000_acoustic_guitar-QaOUijKCqZU") == "acoustic guitar"
    with pytest.raises(InvalidOption, match="neither ID-CLASS nor CLASS-ID"):
        class_of("piano")


def test_rendered_mixtures(tmp_path: Path) -> None:
    folder = tmp_path / "tuba-VA1EolcDwZI+cello--Gdh8N_KpLY"
    folder.mkdir()
    for name, level in (("gt1", 0.1), ("gt2", 0.2), ("mix", 0.3)):
        write_clip(folder / f"{name}.wav", ramp(1, level))
    (mixture,) = rendered(tmp_path)
    assert list(mixture.stems) == ["tuba", "cello"]
    assert mixture.stems["cello"].samples.max() == pytest.approx(0.02, rel=1e-3)
    (folder / "gt2.wav").unlink()
    with pytest.raises(InvalidOption, match="gt2.wav is missing"):
        list(rendered(tmp_path))


def test_what_is_missing_is_said(ave_set: tuple[Path, Path], tmp_path: Path) -> None:
    audio, index = ave_set
    (audio / f"{IDS[2]}.wav").unlink()
    with pytest.raises(InvalidOption, match="lacks 1 of 4 sounds, M-fNi-L59Gk.wav first.*AVE-ECCV18"):
        ave(audio, index)
    with pytest.raises(InvalidOption, match="an index file of DAVIS"):
        music(audio, tmp_path / "none.csv")
    index.write_text(f"{IDS[0]}.wav,x,12,Bark\n")
    with pytest.raises(InvalidOption, match="class 'Bark' alone"):
        ave(audio, index)
