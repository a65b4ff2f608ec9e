# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math

import pytest
import torch

from server.measure.noise_maps import retrace
from server.sampling.invert import noise_scale
from server.sampling.levels import levels_from_edm_sigmas, log_linear_edm_sigmas

LEVELS = levels_from_edm_sigmas(log_linear_edm_sigmas(40, 80.0, 0.3))
X0, NOISE = torch.randn(2, 2, 500, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_sampling_meets_every_state_of_the_inversion() -> None:
    for solver in ("sde", "ode"):
        assert retrace(X0, NOISE, LEVELS, solver).error < 1e-9
        assert retrace(X0.float(), NOISE.float(), LEVELS, solver).error < 1e-2


def test_the_noise_map_stays_by_eq_5_and_grows_by_eq_3() -> None:
    assert retrace(X0, NOISE, LEVELS, "ode").growth == pytest.approx(1)
    grown = retrace(X0, NOISE, LEVELS, "sde").growth
    assert grown == pytest.approx(80.0 / 0.3) == pytest.approx(noise_scale(LEVELS, 0, "literal"))
    assert math.log(grown) == pytest.approx(float(LEVELS.lam[-2] - LEVELS.lam[0]))
