# SPDX-License-Identifier: GPL-3.0-or-later
"""Every synthesis: finite, long enough, repeatable, and as full and sharp as the sound it stands for."""

from __future__ import annotations

import numpy as np
import pytest

from server.models.embedded.corpus import SYNTHS
from server.models.embedded.synthesis import fast_length
from server.models.embedded.vocabulary import ADJECTIVES

RATE, N = 32000, 48000


def take(name: str, seed: int) -> np.ndarray:
    return SYNTHS[name](np.random.default_rng(seed), N, RATE)[0]


def share_above(sound: np.ndarray, hz: float) -> float:
    power = np.abs(np.fft.rfft(sound)) ** 2
    return float(power[int(hz * len(sound) / RATE):].sum() / power.sum())


@pytest.mark.parametrize("name", SYNTHS)
def test_a_synthesis_is_a_sound_with_words_that_are_known(name: str) -> None:
    for seed in (1, 2):
        sound, words = SYNTHS[name](np.random.default_rng(seed), N, RATE)
        assert sound.shape == (N,) and np.isfinite(sound).all() and np.abs(sound).max() > 0
        assert set(words) <= set(ADJECTIVES)
    np.testing.assert_array_equal(take(name, 5), take(name, 5))
    assert not np.array_equal(take(name, 5), take(name, 6))


@pytest.mark.parametrize("name", ["noise texture", "rain", "fire", "cymbal", "glass breaking"])
def test_the_highs_are_there(name: str) -> None:
    assert max(share_above(take(name, seed), 10000) for seed in range(6)) > 0.02


@pytest.mark.parametrize("name", ["struck metal", "bell", "drum", "wood"])
def test_attacks_are_sharp(name: str) -> None:
    """From silence to a fifth of the peak within a millisecond, for most strokes."""
    rises = []
    for seed in range(6):
        sound = np.abs(take(name, seed))
        first = int(np.argmax(sound > 0.001 * sound.max()))
        early = sound[first:first + RATE // 10]
        rises.append(int(np.argmax(early > 0.2 * early.max())) / RATE)
    assert np.median(rises) < 0.001


@pytest.mark.parametrize(("n", "fast"), [(1, 1), (7, 8), (11, 12), (121, 125), (191999, 192000), (192000, 192000)])
def test_a_fast_length_has_small_factors(n: int, fast: int) -> None:
    assert fast_length(n) == fast
