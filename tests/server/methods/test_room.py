# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest

from server.audio import Clip, resample
from server.errors import InvalidInput, InvalidOption
from server.methods import room

RATE = 16000


def bursts() -> Clip:
    """Six short bursts of noise in three seconds."""
    samples, rng = np.zeros(3 * RATE), np.random.default_rng(0)
    for k in range(6):
        start = round((0.05 + 0.5 * k) * RATE)
        samples[start : start + RATE // 10] = 0.1 * rng.standard_normal(RATE // 10)
    return Clip(samples[None], RATE)


def test_a_parametric_room_is_fixed_causal_and_decays_by_its_time() -> None:
    response = room.parametric(0.8, RATE, seed=4)
    assert response.dtype == np.float32 and response.shape == (round(0.8 * RATE),) and response[0] == 1
    assert np.array_equal(response, room.parametric(0.8, RATE, seed=4))
    assert not np.array_equal(response, room.parametric(0.8, RATE, seed=5))
    assert np.square(response[1:]).sum() == pytest.approx(1, rel=1e-5), "as much tail as direct sound"
    tail = np.square(response[1:].astype(float)).cumsum()
    left_db = 10 * np.log10(1 - tail[[RATE // 10, RATE // 2]] / tail[-1] + 1e-12)
    assert left_db[0] - left_db[1] == pytest.approx(60 * 0.4 / 0.8, abs=1.0)
    drier = room.parametric(0.8, RATE, direct_db=10)
    assert np.square(drier[1:]).sum() == pytest.approx(0.1, rel=1e-5)


@pytest.mark.parametrize("rt60_s", [0.0, 0.04, 11.0, float("nan")])
def test_a_room_without_a_sensible_time_is_refused(rt60_s) -> None:
    with pytest.raises(InvalidOption, match="between 0.05 and 10 seconds"):
        room.parametric(rt60_s, RATE)


def test_a_measured_room_starts_with_its_direct_sound() -> None:
    response = room.parametric(0.3, 48000, seed=1)
    recorded = Clip(0.02 * np.concatenate([np.zeros(700), response, np.zeros(500)])[None].repeat(2, 0), 48000)
    same = room.measured(recorded, 48000)
    np.testing.assert_allclose(same[:13000], response[:13000], atol=1e-6)
    assert abs(np.abs(same[:2]).max() - 1) < 1e-6 and 13000 < len(same) <= len(response)
    other = room.measured(recorded, RATE)
    assert np.abs(other).max() == 1 and np.argmax(np.abs(other)) < 4
    with pytest.raises(InvalidInput, match="silent"):
        room.measured(Clip(np.zeros((1, 500)), RATE), RATE)


def test_a_reverberant_clip_is_the_causal_convolution() -> None:
    clip = Clip(np.random.default_rng(2).standard_normal((2, 900)), RATE)
    response = np.random.default_rng(3).standard_normal(1200)
    made = room.reverberated(clip, response)
    for given, got in zip(clip.samples, made.samples, strict=True):
        np.testing.assert_allclose(got, np.convolve(given, response)[:900], atol=1e-3)


@pytest.mark.parametrize("rt60_s", [0.3, 0.8, 1.6])
def test_the_room_is_told_by_the_fastest_decays(rt60_s) -> None:
    wet = room.reverberated(bursts(), room.parametric(rt60_s, RATE, seed=3))
    assert room.estimate_rt60(wet) == pytest.approx(rt60_s, rel=0.2)
    louder = Clip(3 * resample(wet, 44100).samples.repeat(2, 0), 44100)
    assert room.estimate_rt60(louder) == pytest.approx(rt60_s, rel=0.2)


def test_a_sound_that_never_decays_tells_no_room() -> None:
    steady = Clip(0.1 * np.sin(np.arange(2 * RATE) * 0.2)[None], RATE)
    with pytest.raises(InvalidInput, match="--rt60"):
        room.estimate_rt60(steady)
