# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest

from server.audio import Clip
from server.errors import InvalidInput, InvalidOption
from server.kinds import parse_options
from server.methods.known import LONGEST_GUESS_S, Known, gap_frames, known, roughly_mended
from server.methods.room import parametric, reverberated


def parse(**options):
    return parse_options("restore", options)


def test_frames_in_and_beside_a_gap_are_not_known():
    assert gap_frames([(1000, 1200)], 1000, 10.0, 15).tolist() == [1.0] * 9 + [0.0] * 4 + [1.0] * 2
    assert gap_frames([(0, 100)], 1000, 10.0, 4).tolist() == [0.0, 0.0, 1.0, 1.0]
    assert gap_frames([(950, 1010)], 1000, 10.0, 15).tolist() == [1.0] * 8 + [0.0] * 4 + [1.0] * 3


def test_a_room_is_recorded_told_or_guessed():
    rng = np.random.default_rng(0)
    bursts = np.zeros((1, 32000))
    for start in range(0, 32000, 8000):
        bursts[:, start : start + 200] = rng.standard_normal((1, 200))
    dry = Clip(0.1 * bursts, 8000)
    wet = reverberated(dry, parametric(0.5, 8000, seed=1))
    assert known({"clip": wet}, {}, parse(task="dereverb", rt60=0.7)).rt60_s == 0.7
    assert known({"clip": wet}, {}, parse(task="dereverb")).rt60_s == pytest.approx(0.5, rel=0.4)
    long = reverberated(dry, parametric(3.0, 8000, seed=1))
    assert known({"clip": long}, {}, parse(task="dereverb")).rt60_s == LONGEST_GUESS_S
    found = known({"clip": wet, "room": Clip(parametric(0.5, 8000)[None], 8000)}, {}, parse(task="dereverb"))
    assert found.rt60_s is None and len(found.response(16000)) > 1.8 * len(found.response(8000)) > 0


def test_a_clip_that_does_not_tell_its_room_says_so():
    steady = Clip(0.1 * np.sin(2 * np.pi * 300 * np.arange(16000) / 8000)[None], 8000)
    with pytest.raises(InvalidInput, match="--rt60"):
        known({"clip": steady}, {}, parse(task="dereverb"))


def test_only_what_is_damaged_is_roughly_mended():
    clip = Clip(0.1 * np.random.default_rng(0).standard_normal((1, 8000)), 8000)
    assert roughly_mended(clip, parse(task="denoise"), Known()) is clip
    found = roughly_mended(clip, parse(task="inpaint", gap="0.4:0.5"), Known()).samples
    np.testing.assert_array_equal(found[:, :3200], clip.samples[:, :3200])
    assert not np.array_equal(found[:, 3200:4000], clip.samples[:, 3200:4000])


@pytest.mark.parametrize("task", ["super_resolution", "declip", "dereverb", "phase_retrieval", "denoise"])
def test_a_silent_clip_is_called_silent(task):
    with pytest.raises(InvalidInput, match="The clip is silent"):
        known({"clip": Clip(np.zeros((2, 8000)), 8000)}, {}, parse(task=task))


def test_a_cutoff_that_the_clip_does_not_have_is_refused_before_anything_is_rendered():
    clip = Clip(0.1 * np.random.default_rng(0).standard_normal((1, 8000)), 8000)
    for cutoff_hz in (3999.999, 4000, 9000):
        with pytest.raises(InvalidOption, match=f"cutoff_hz={cutoff_hz:g} is not between 0 and 3960 Hz, 99% of half"):
            known({"clip": clip}, {}, parse(task="super_resolution", cutoff_hz=cutoff_hz))
    assert known({"clip": clip}, {}, parse(task="super_resolution", cutoff_hz=3960)).cutoff_hz == 3960


@pytest.mark.parametrize("bins", [0, 1, 2])
def test_magnitudes_of_no_window_are_refused(tmp_path, bins):
    np.save(tmp_path / "few.npy", np.ones((1, bins, 40), np.float32))
    clip = Clip(0.1 * np.random.default_rng(0).standard_normal((1, 8000)), 8000)
    with pytest.raises(InvalidInput, match=f"have {bins} bins; there must be 3 or more"):
        known({"clip": clip}, {"magnitude": tmp_path / "few.npy"}, parse(task="phase_retrieval"))
