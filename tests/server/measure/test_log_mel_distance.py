# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest

from server.measure.log_mel_distance import log_mel_distance

NOISE = np.random.default_rng(1).normal(size=(2, 2, 12000)).astype(np.float32) * 0.1


@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_gain_is_its_logarithm_and_the_shape_leads(rate: int) -> None:
    assert log_mel_distance(2 * NOISE, NOISE, rate) == pytest.approx(np.full((2, 2), np.log(2)), abs=1e-3)
    assert log_mel_distance(NOISE, NOISE, rate).max() == 0


def test_phase_does_not_count_and_the_faintest_is_floored() -> None:
    assert log_mel_distance(-NOISE, NOISE, 16000).max() < 1e-5
    t = np.arange(16000) / 16000
    tone, hiss = np.sin(2 * np.pi * 440 * t), 1e-7 * np.random.default_rng(2).normal(size=16000)
    assert log_mel_distance(tone + hiss, tone, 16000) < 0.01
    assert log_mel_distance(NOISE[0, 0, :50], NOISE[0, 0, :50], 16000) == 0
    with pytest.raises(ValueError, match="one shape"):
        log_mel_distance(NOISE, NOISE[0], 16000)
