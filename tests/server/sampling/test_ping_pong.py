# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
import torch

from server.sampling.levels import levels_from_edm_sigmas, log_linear_edm_sigmas
from server.sampling.noise import KeyedNoise
from server.sampling.ping_pong import ping_pong
from server.sampling.solve import State

LEVELS = levels_from_edm_sigmas(log_linear_edm_sigmas(6, 80.0, 0.1))
MEAN, VARIANCE = 0.7, 0.25


def exact(x, level):
    """The denoiser of N(MEAN, VARIANCE)."""
    alpha, sigma = level.factors(x)
    return MEAN + alpha * VARIANCE / (alpha**2 * VARIANCE + sigma**2) * (x - alpha * MEAN)


def test_it_leaps_and_noises_anew_as_the_affine_recursion_says():
    """x_s = alpha_s (m + g (x - alpha m)) + sigma_s z: it ends at the mean with g^2 of the deviation before it, so it is no
    sampler of a distribution whose denoiser is exact; a distilled network's is not."""
    noise = KeyedNoise(1)
    end = ping_pong(exact, State(noise.initial((40_000,))), LEVELS, noise=noise)
    mean, variance = 0.0, 1.0
    for i in range(LEVELS.n_steps):
        alpha, sigma = float(LEVELS.alpha[i]), float(LEVELS.sigma[i])
        gain = alpha * VARIANCE / (alpha**2 * VARIANCE + sigma**2)
        mean = float(LEVELS.alpha[i + 1]) * (MEAN + gain * (mean - alpha * MEAN))
        variance = float(LEVELS.alpha[i + 1]) ** 2 * gain**2 * variance + float(LEVELS.sigma[i + 1]) ** 2
    assert end.index == LEVELS.n_steps
    assert float(end.x.mean()) == pytest.approx(mean, abs=0.01)
    assert float(end.x.var()) == pytest.approx(variance, rel=0.03)


def test_every_level_is_evaluated_once_and_may_be_the_last():
    events = []
    ping_pong(exact, State(torch.zeros(1, 3)), LEVELS, noise=KeyedNoise(1), on_step=events.append)
    assert [(e.step, e.n_steps) for e in events] == [(i, 6) for i in range(6)]

    def stop(event):
        if event.step == 2:
            raise KeyboardInterrupt

    seen = []
    with pytest.raises(KeyboardInterrupt):
        ping_pong(lambda x, level: seen.append(1) or x, State(torch.zeros(1, 3)), LEVELS, noise=KeyedNoise(1), on_step=stop)
    assert len(seen) == 2
