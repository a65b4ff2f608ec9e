# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest

from server.measure.si_sdr import LIMIT_DB, si_sdr_db, si_sdr_gain_db


def test_by_hand_and_for_every_clip_alone() -> None:
    # <e, t>/<t, t> = 6/4: what is wanted is (3, 0, 0), the rest (0, 1, 0): 9 to 1.
    target = np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    estimate = np.array([[3.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    assert si_sdr_db(estimate, target) == pytest.approx([10 * np.log10(9), 0.0])
    assert si_sdr_db(-7 * estimate, 0.1 * target) == pytest.approx([10 * np.log10(9), 0.0])


def test_what_has_no_ratio_has_a_value() -> None:
    t = np.array([1.0, -2.0, 3.0])
    assert si_sdr_db(0.3 * t, t) == LIMIT_DB
    assert si_sdr_db(np.zeros(3), t) == -LIMIT_DB
    assert si_sdr_db(np.array([2.0, 1.0, 0.0]), t) == -LIMIT_DB
    assert np.isnan(si_sdr_db(t, np.zeros(3)))
    with pytest.raises(ValueError, match="one shape"):
        si_sdr_db(t, t[:2])


def test_gain_is_what_separation_adds() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 20000))
    assert si_sdr_gain_db(a + 0.1 * b, a + b, a) == pytest.approx(20, abs=0.3)
