# SPDX-License-Identifier: GPL-3.0-or-later
"""Derived noise maps retrace the inversion (fusion paper, appendix B and figure B.1).

The paper's recursions are run as printed, from the cleanest noisy level to the noisiest, with the clip's latents x0 in the
place of the model's output; at each level the noise map `e = (x_t - alpha_t x0)/sigma_t` (appendix B) is kept. Then
sampling goes back down, the network's answer replaced by the one that the noise map stands for (eq. 1), and must meet every
state. No network takes part: this is algebra, and what is stated is its rounding error.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from server.sampling.levels import Levels
from server.sampling.step import Solver, coefficients


@dataclass(frozen=True)
class Retraced:
    """error: the largest |x_down - x_up| / |x_up| over the levels (norms); growth: deviation of the noise map at the
    noisiest level over that at the cleanest."""

    error: float
    growth: float


def retrace(x0: Tensor, noise: Tensor, levels: Levels, solver: Solver) -> Retraced:
    """Invert by eq. 3 ("sde") or eq. 5 ("ode") from `alpha x0 + sigma noise` at the cleanest noisy level, and come back.

    Args:
        x0, noise: latents of one shape; float32 on the model's device, or float64 on the CPU.
    """
    clean = int((levels.sigma > 0).nonzero().max())
    up = [_at(levels, clean, x0, noise)]
    for i in range(clean - 1, -1, -1):
        step = coefficients(levels, i, solver)
        up.append((up[-1] - step.B * x0) / step.A)
    up = up[::-1]
    maps = [(x - float(levels.alpha[i]) * x0) / float(levels.sigma[i]) for i, x in enumerate(up)]
    x, error = up[0], 0.0
    for i in range(clean):
        step = coefficients(levels, i, solver)
        answer = (x - float(levels.sigma[i]) * maps[i]) / float(levels.alpha[i])
        x = step.A * x + step.B * answer
        error = max(error, float((x - up[i + 1]).norm() / up[i + 1].norm()))
    return Retraced(error, float(maps[0].std() / maps[clean].std()))


def _at(levels: Levels, index: int, x0: Tensor, noise: Tensor) -> Tensor:
    alpha, sigma = float(levels.alpha[index]), float(levels.sigma[index])
    return torch.add(alpha * x0, noise.to(x0), alpha=sigma)
