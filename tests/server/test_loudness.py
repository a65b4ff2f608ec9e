# SPDX-License-Identifier: GPL-3.0-or-later
"""Loudness and true peak against the standard's own reference signals."""

from __future__ import annotations

import numpy as np
import pytest

from server import audio
from server.audio import Clip

RATE = 48_000


def noise(n_samples: int = 4801, channels: int = 2, sample_rate: int = RATE, seed: int = 0) -> Clip:
    samples = np.random.default_rng(seed).uniform(-0.7, 0.7, (channels, n_samples))
    return Clip(samples, sample_rate)


def sine(frequency_hz: float, duration_s: float, level_dbfs: float = 0.0, channels: int = 1,
         phase: float = 0.0) -> Clip:
    time_s = np.arange(round(duration_s * RATE)) / RATE
    wave = 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * frequency_hz * time_s + phase)
    return Clip(np.repeat(wave[None], channels, axis=0), RATE)


def test_loudness_of_the_standards_reference_tone():
    assert audio.loudness_lkfs(sine(997, 20)) == pytest.approx(-3.01, abs=0.01)


@pytest.mark.parametrize("sample_rate", [44_100, 96_000, 192_000])
def test_loudness_does_not_depend_on_the_sample_rate(sample_rate):
    clip = noise(96_000)
    clip = audio.resample(audio.resample(clip, 24_000), 48_000)
    assert audio.loudness_lkfs(audio.resample(clip, sample_rate)) == pytest.approx(audio.loudness_lkfs(clip), abs=0.05)


@pytest.mark.parametrize(("parts", "expected"), [
    ([(-23, 20)], -23), ([(-33, 20)], -33), ([(-36, 10), (-23, 60), (-36, 10)], -23),
    ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23), ([(-26, 20), (-20, 20.1), (-26, 20)], -23),
])
def test_loudness_gates_as_ebu_tech_3341_asks(parts, expected):
    tones = [sine(1000, seconds, level, channels=2).samples for level, seconds in parts]
    assert audio.loudness_lkfs(Clip(np.concatenate(tones, axis=1), RATE)) == pytest.approx(expected, abs=0.1)


def test_loudness_of_silence_and_of_a_clip_shorter_than_a_block():
    assert audio.loudness_lkfs(Clip(np.zeros((1, RATE)), RATE)) == -np.inf
    assert audio.loudness_lkfs(sine(997, 0.3)) == pytest.approx(-3.01, abs=0.2)


def test_true_peak_lies_between_the_samples():
    tone = audio.fade(sine(RATE / 4, 1.0, -6, phase=np.pi / 4), 0.1, 0.1)
    assert 20 * np.log10(np.abs(tone.samples).max()) == pytest.approx(-9.01, abs=0.01)
    assert audio.true_peak_dbfs(tone) == pytest.approx(-6.0, abs=0.05)
    assert audio.true_peak_dbfs(Clip(np.zeros((2, 9)), RATE)) == -np.inf


def test_true_peak_is_the_same_in_one_piece_and_in_many(monkeypatch):
    clip = noise(10_000)
    whole = audio.true_peak_dbfs(clip)
    monkeypatch.setattr("server.loudness._PEAK_BLOCK", 333)
    assert audio.true_peak_dbfs(clip) == pytest.approx(whole, abs=1e-6)
