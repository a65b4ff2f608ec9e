# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from server.measure.t_start import snr_db


@pytest.mark.parametrize(("t_start", "expected"), [(40, 2.2), (80, -5.0), (100, -8.7), (120, -12.9), (150, -20.5)])
def test_steps_of_audioldm_2_as_noise_levels(t_start, expected):
    assert snr_db(t_start) == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("t_start", [0, 201])
def test_steps_that_there_are_not(t_start):
    with pytest.raises(ValueError, match="1 to 200"):
        snr_db(t_start)
