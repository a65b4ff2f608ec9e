# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np

from server.methods.components import factorised, pooled

SPECTRA = np.array([[4.0, 0.0], [2.0, 0.0], [0.0, 3.0], [0.0, 1.0]], np.float32)
COURSES = np.array([[1.0, 0.5, 0.0, 2.0], [0.0, 1.0, 1.5, 0.0]], np.float32)


def test_two_components_apart_are_found_and_keep_their_dtype():
    magnitude = SPECTRA @ COURSES
    spectra, courses = factorised(magnitude, 2, 300, np.random.default_rng(1))
    assert spectra.dtype == courses.dtype == np.float32
    np.testing.assert_allclose(spectra @ courses, magnitude, atol=1e-3)
    owner = (spectra / spectra.sum(axis=0) > 1e-3).sum(axis=0)
    np.testing.assert_array_equal(owner, [2, 2])


def test_a_component_has_the_mean_of_the_shares_under_it_weighted_by_its_level():
    magnitude = SPECTRA @ COURSES
    first = np.array([[0.9, 0.9, 0.5, 0.3], [0.6, 0.0, 0.5, 0.9], [0.5, 0.2, 0.4, 0.5], [0.5, 0.1, 0.1, 0.5]], np.float32)
    found = pooled(np.stack([first, 1 - first]), magnitude, SPECTRA, COURSES)
    upper = (first[:2] * magnitude[:2]).sum() / magnitude[:2].sum()
    lower = (first[2:] * magnitude[2:]).sum() / magnitude[2:].sum()
    heard = magnitude > 0
    np.testing.assert_allclose(found[0][:2][heard[:2]], upper, rtol=1e-5)
    np.testing.assert_allclose(found[0][2:][heard[2:]], lower, rtol=1e-5)
    np.testing.assert_allclose(found.sum(axis=0)[heard], 1.0, rtol=1e-5)


def test_silence_has_no_components_and_no_numbers_that_are_none():
    silence = np.zeros((4, 3), np.float32)
    spectra, courses = factorised(silence, 2, 5, np.random.default_rng(0))
    assert np.isfinite(pooled(np.full((2, 4, 3), 0.5, np.float32), silence, spectra, courses)).all()
