# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from server.audio import Clip, write_clip
from server.errors import InvalidOption
from server.measure import held_out
from server.measure.held_out import HeldOut, Sound, trimmed


def entry(path: Path, name: str = "rain", source: str = "a") -> Sound:
    return Sound(path, name, source, "CC0-1.0", "", "0" * 64, 16000)


def test_a_table_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write_clip(tmp_path / "rain.wav", Clip(np.ones((1, 800)), 16000))
    held_out.save(tmp_path, [entry(tmp_path / "rain.wav")])
    assert held_out.load(tmp_path).sounds == (entry(tmp_path / "rain.wav"),)


def test_a_folder_without_table_or_files_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="server.measure.fetch"):
        held_out.load(tmp_path)
    held_out.save(tmp_path, [entry(tmp_path / "rain.wav")])
    with pytest.raises(InvalidOption, match="1 held-out sounds are missing"):
        held_out.load(tmp_path)


def test_sounds_are_drawn_from_as_many_sources_as_there_are() -> None:
    sounds = [entry(Path(f"{source}{k}"), name, source) for name in ("rain", "dog") for source in "abc" for k in range(4)]
    drawn = HeldOut(tuple(sounds)).drawn(4, seed=1)
    assert [sound.class_name for sound in drawn] == ["rain"] * 4 + ["dog"] * 4
    assert [len({sound.source for sound in drawn[at:at + 3]}) for at in (0, 4)] == [3, 3]
    assert HeldOut(tuple(sounds)).drawn(4, seed=1) == drawn != HeldOut(tuple(sounds)).drawn(4, seed=2)


def test_a_clip_is_heard_without_its_silence_and_at_the_length_asked_for(tmp_path: Path) -> None:
    samples = np.zeros(16000)
    samples[8000:9600] = 0.5
    write_clip(tmp_path / "late.wav", Clip(samples[None], 16000))
    sound = entry(tmp_path / "late.wav")
    assert 0.1 <= sound.clip(16000).duration_s < 0.17
    assert sound.clip(16000, 0.5).n_samples == 8000


def test_trimming_leaves_silence_alone() -> None:
    silent = Clip(np.zeros((1, 100)), 16000)
    assert trimmed(silent).n_samples == 100
