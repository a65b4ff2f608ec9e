# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest

from server.methods.linear_prediction import burg, extrapolate, interpolate

TIME = np.arange(3000)
CHORD = np.sin(0.11 * TIME) + 0.5 * np.sin(0.37 * TIME + 1.0)


def autoregressive(n: int, seed: int = 0) -> np.ndarray:
    """A known process of order 2: x[t] = 1.6 x[t-1] - 0.81 x[t-2] + noise."""
    noise, made = np.random.default_rng(seed).standard_normal(n), np.zeros(n)
    for t in range(2, n):
        made[t] = 1.6 * made[t - 1] - 0.81 * made[t - 2] + noise[t]
    return made


def test_burg_finds_the_coefficients_of_a_known_process() -> None:
    assert burg(autoregressive(20000), 2) == pytest.approx([1.6, -0.81], abs=0.02)
    assert np.abs(burg(autoregressive(20000), 6)[2:]).max() < 0.03


def test_a_chord_goes_on_as_it_was() -> None:
    made = extrapolate(CHORD[:2000], 500, 32)
    assert np.abs(made - CHORD[2000:2500]).max() < 0.05


def test_an_extrapolation_never_grows_and_silence_stays_silent() -> None:
    made = extrapolate(autoregressive(400), 5000, 64)
    assert np.abs(made[4000:]).max() < np.abs(made[:1000]).max()
    assert not extrapolate(np.zeros(100), 50, 8).any() and not extrapolate(np.ones(2), 50, 8).any()


def test_interpolation_solves_for_the_least_prediction_error() -> None:
    samples, coefficients = autoregressive(300), np.array([1.6, -0.81])
    unknown = np.zeros(300, bool)
    unknown[100:120] = unknown[200] = True
    filled = interpolate(samples, unknown, coefficients)
    assert np.array_equal(filled[~unknown], samples[~unknown])

    def error(x: np.ndarray) -> float:
        padded = np.concatenate([np.zeros(2), x, np.zeros(2)])
        return float(np.square(np.convolve(padded, [1.0, -1.6, 0.81])).sum())

    for where in (100, 110, 119, 200):
        for step in (-0.01, 0.01):
            moved = filled.copy()
            moved[where] += step
            assert error(moved) > error(filled)


def test_interpolation_with_a_filter_longer_than_the_clip() -> None:
    unknown = np.zeros(60, bool)
    unknown[25:30] = True
    coefficients = np.concatenate([burg(autoregressive(2000), 12), np.zeros(70)])
    samples = autoregressive(60)
    one, other = interpolate(samples, unknown, coefficients), interpolate(samples, unknown, coefficients[:12])
    np.testing.assert_allclose(one, other, atol=1e-9)
