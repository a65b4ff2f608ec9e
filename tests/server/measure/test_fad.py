# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from server.measure.fad import frechet_distance, halves


def by_roots(a: np.ndarray, b: np.ndarray) -> float:
    s, t = np.cov(a.T), np.cov(b.T)
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s + t - 2 * sqrtm(s @ t).real))


def test_two_variances_by_hand() -> None:
    # Variances 1 and 4 of means 0 and 3: 9 + (1 - 2)^2.
    a, b = np.array([[-1.0], [1.0]]) / np.sqrt(2), np.array([[-2.0], [2.0]]) / np.sqrt(2) + 3
    assert frechet_distance(a, b) == pytest.approx(10)


def test_it_is_the_formula_with_matrix_roots() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)), 0.5 + rng.normal(size=(80, 6))
    assert frechet_distance(a, b) == pytest.approx(by_roots(a, b), rel=1e-8)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-12)


def test_fewer_vectors_than_dimensions() -> None:
    rng = np.random.default_rng(1)
    few = np.zeros((5, 40))
    few[:, :4] = rng.normal(size=(5, 4))
    other = np.zeros((7, 40))
    other[:, :4] = rng.normal(size=(7, 4))
    assert frechet_distance(few, other) == pytest.approx(by_roots(few[:, :4], other[:, :4]), rel=1e-8)
    assert frechet_distance(few, few) < 1e-12


def test_the_bias_falls_with_the_number_of_vectors() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 4096, 8))
    small, large = frechet_distance(a[:32], b[:32]), frechet_distance(a, b)
    assert small > 20 * large > 0
    assert halves(a[:64], seed=3) == halves(a[:64], seed=3) > large


def test_refusals() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        frechet_distance(np.zeros((1, 3)), np.zeros((4, 3)))
    with pytest.raises(ValueError, match="one embedding"):
        frechet_distance(np.zeros((3, 3)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match="not finite"):
        frechet_distance(np.full((3, 3), np.nan), np.zeros((4, 3)))
