"""What the sampling tests share: a distribution whose denoiser is known exactly, and the schedules of two real models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from server.sampling.levels import (
    Level,
    Levels,
    levels_from_alphas_cumprod,
    levels_from_edm_sigmas,
    log_linear_edm_sigmas,
    scaled_linear_alphas_cumprod,
)


@dataclass
class Gaussian:
    """Data of one mean and deviation. Its posterior mean, probability-flow trajectory and variance are in closed form."""

    mean: float = 0.7
    deviation: float = 0.4
    calls: int = 0
    rows: int = 0

    def __call__(self, x: Tensor, level: Level) -> Tensor:
        """E[x0 | x_t]."""
        self.calls += 1
        self.rows += len(x)
        alpha, sigma = level.factors(x)
        gain = alpha * self.deviation**2 / (alpha**2 * self.deviation**2 + sigma**2)
        return self.mean + gain * (x - alpha * self.mean)

    def flow(self, u: float, level: Level) -> Tensor:
        """The probability-flow trajectory that is `u` deviations from the mean at every level; [1] float64."""
        return (level.alpha * self.mean + torch.sqrt(self.variance(level)) * u).reshape(1)

    def variance(self, level: Level) -> Tensor:
        return level.alpha**2 * self.deviation**2 + level.sigma**2


@pytest.fixture
def gaussian() -> Gaussian:
    return Gaussian()


@pytest.fixture
def audioldm2() -> Callable[[int], Levels]:
    power = scaled_linear_alphas_cumprod(0.0015, 0.0195)
    return lambda n_steps: levels_from_alphas_cumprod(power, n_steps)


@pytest.fixture
def stable_audio() -> Callable[[int], Levels]:
    return lambda n_steps: levels_from_edm_sigmas(log_linear_edm_sigmas(n_steps))
