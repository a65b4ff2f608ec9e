# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
import torch

from server.audio import Clip
from server.measure.mixture import FLOOR_NAT, SPEC, heard, left_by_best_mix

RATE = SPEC.sample_rate


def noise(seed: int, low_hz: float, high_hz: float, swell: float) -> Clip:
    """A band of noise that fluctuates at a rate of its own."""
    n = 2 * RATE
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=n))
    hz = np.fft.rfftfreq(n, 1 / RATE)
    spectrum[(hz < low_hz) | (hz > high_hz)] = 0
    return Clip((np.fft.irfft(spectrum, n) * (1.1 + np.sin(2 * np.pi * swell * np.arange(n) / RATE)))[None] * 0.1, RATE)


@pytest.fixture(scope="module")
def a() -> Clip:
    return noise(1, 100, 5000, 1.0)


@pytest.fixture(scope="module")
def b() -> Clip:
    return noise(2, 2000, 12000, 2.7)


def left(sound: torch.Tensor, a: Clip, b: Clip):
    return left_by_best_mix(sound, heard(a), heard(b))


@pytest.mark.parametrize("gain", [0.01, 1.0, 3.0])
def test_an_input_at_any_gain_leaves_nothing(a, b, gain):
    for clip in (a, b):
        found = left(heard(Clip(clip.samples * gain, RATE)), a, b)
        assert max(found.by_band, found.whole) < 2e-3


def test_a_sum_of_magnitudes_leaves_nothing_and_a_sum_of_sounds_little(a, b):
    levels = heard(a), heard(b)
    summed = torch.logaddexp(levels[0] - 0.7, levels[1] + 0.4)
    found = left_by_best_mix(summed, *levels)
    assert max(found.by_band, found.whole) < 0.08  # the ratios of the grid are 2.5 dB apart
    # Sounds add with their phases, so their sum is not quite that of their magnitudes.
    assert left(heard(Clip(a.samples + 2 * b.samples, RATE)), a, b).by_band < 0.25


def test_another_sound_is_far_from_every_mix_and_faders_for_every_band_bring_it_nearer(a, b):
    found = left(heard(noise(3, 100, 12000, 6.0)), a, b)
    assert 0.4 < found.by_band < found.whole


def test_the_geometric_mean_of_two_mels_is_no_mix(a, b):
    levels = heard(a), heard(b)
    assert left_by_best_mix((levels[0] + levels[1]) / 2, *levels).by_band > 0.08


def test_what_lies_far_below_the_loudest_point_does_not_count(a):
    level = heard(a)
    assert level.max() - level.min() == pytest.approx(FLOOR_NAT, abs=1e-4)
    faint = Clip(a.samples + 1e-6 * noise(4, 9000, 12000, 3.0).samples, RATE)
    torch.testing.assert_close(heard(faint), level, atol=2e-3, rtol=0)
