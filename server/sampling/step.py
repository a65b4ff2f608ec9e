"""The one affine step that every sampler here is: `x_s = A x_t + B x0hat + S z`, from level t to the cleaner level s.

With h = lambda_s - lambda_t:

    solver  A                        B                      S
    sde     sigma_s/sigma_t e^-h     alpha_s (1 - e^-2h)    sigma_s sqrt(1 - e^-2h)
    ode     sigma_s/sigma_t          alpha_s (1 - e^-h)     0

The first is SDE-DPM-Solver++ of order 1, the posterior of DDPM and DDIM with eta 1; the second is DPM-Solver++ of order
1 and DDIM with eta 0.

Orders 2 and 3 leave A, B and S alone and replace x0hat by an extrapolation of it. The exact step averages x0(lambda)
over the step with the weight e^{-c(lambda_s - lambda)}, c = 1 for ode and 2 for sde (fusion paper, eq. 2 and 4). Where
x0 is a polynomial in u = (lambda - lambda_t)/h, that needs the moments of u under the weight,
M_k = int_0^1 H e^{-H(1-u)} u^k du with H = c h; in the usual notation M_1 = phi_2 and M_2 = -2 phi_3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from server.errors import InvalidOption
from server.sampling.levels import Levels

Solver = Literal["sde", "ode"]
Form = Literal["midpoint", "phi", "published", "diffusers"]
History = tuple[tuple[float, Tensor], ...]  # (lambda, x0hat) of earlier levels, newest first

_RATE = {"sde": 2.0, "ode": 1.0}


@dataclass(frozen=True)
class Coefficients:
    """`x_s = A x_t + B x0hat + S z`."""

    A: float
    B: float
    S: float


def coefficients(levels: Levels, i: int, solver: Solver) -> Coefficients:
    """A, B and S of the step from level i to level i + 1.

    Where the step ends at sigma 0 (h = inf) the answer is x0hat itself: A = 0, B = 1, S = 0.

    Raises:
        InvalidOption: `solver` is neither "sde" nor "ode".
    """
    rate = _rate(solver)
    h = float(levels.lam[i + 1] - levels.lam[i])
    alpha_s, sigma_s, sigma_t = float(levels.alpha[i + 1]), float(levels.sigma[i + 1]), float(levels.sigma[i])
    gain = -math.expm1(-rate * h)
    if solver == "ode":
        return Coefficients(sigma_s / sigma_t, alpha_s * gain, 0.0)
    return Coefficients(sigma_s / sigma_t * math.exp(-h), alpha_s * gain, sigma_s * math.sqrt(gain))


def extrapolation_weights(
    levels: Levels, i: int, lams: Sequence[float], solver: Solver, order: int, form: Form
) -> tuple[float, ...]:
    """Weights of x0hat at level i and of the x0hat at the lambdas `lams` (newest first); they sum to 1.

    Args:
        lams: lambdas of what is remembered, each noisier than the one before; with fewer than order - 1 of them the
            order falls to what they allow (a multistep solver's warm-up).
        order: 1, 2 or 3.
        form: how a step of order 2 weighs the slope: "midpoint" by 1/2 (DPM-Solver++ 2M; Stable Audio Open's pipeline),
            "phi" by M_1/M_0, exact for a straight line. Order 3 is exact for a parabola in both; "published" gives the
            curvature half its weight (-phi_3 in place of -2 phi_3, as k-diffusion has it), so that order 3 converges as
            order 2, and is "phi" in order 2; "diffusers" is "published" but in order 3 of sde, where the curvature has the
            weight of diffusers' DPMSolverMultistepScheduler, off by -alpha_s: it does not vanish with the step, so it does
            not converge, and is here for what was rendered with it.

    Raises:
        InvalidOption: an order, form or solver that does not exist.
    """
    if order not in (1, 2, 3) or form not in get_args(Form):
        raise InvalidOption(f"order {order!r}, form {form!r}: order is 1, 2 or 3; form is {', '.join(get_args(Form))}.")
    lam = levels.lam
    h = float(lam[i + 1] - lam[i])
    order = min(order, len(lams) + 1)
    # To sigma 0 the step is infinitely long in lambda, and one of no length moves nothing: neither can be extrapolated.
    if order == 1 or not 0.0 < h < math.inf:
        return (1.0,)
    rate = _rate(solver) * h
    slope = 0.5 if order == 2 and form == "midpoint" else _moment(1, rate) / _moment(0, rate)
    r0 = (float(lam[i]) - lams[0]) / h
    assert r0 > 0.0, "what is remembered must be of noisier levels"
    if order == 2:
        return (1.0 + slope / r0, -slope / r0)
    r1 = (lams[0] - lams[1]) / h
    assert r1 > 0.0, "what is remembered must be of noisier levels"
    curvature = _moment(2, rate) / _moment(0, rate) * (0.5 if form in ("published", "diffusers") else 1.0)
    if form == "diffusers" and solver == "sde":
        curvature -= 1.0 / _moment(0, rate)
    return _parabola(slope, curvature, r0, r1)


def extrapolate(
    x0hat: Tensor, history: History, levels: Levels, i: int, *, solver: Solver, order: int, form: Form
) -> Tensor:
    """What step i of this order uses in place of `x0hat`: a combination of it with what `history` remembers."""
    weights = extrapolation_weights(levels, i, [lam for lam, _ in history], solver, order, form)
    estimate = weights[0] * x0hat
    for weight, (_, earlier) in zip(weights[1:], history, strict=False):
        estimate = estimate + weight * earlier
    return estimate


def _parabola(slope: float, curvature: float, r0: float, r1: float) -> tuple[float, float, float]:
    """Weights of values at u = 0, -r0, -(r0 + r1) whose parabola is averaged: u to `slope`, u^2 to `curvature`.

    Newton's form: m0 + D u + D2 u (u + r0) with D = (m0 - m1)/r0 and D2 = (D - (m1 - m2)/r1)/(r0 + r1).
    """
    second = (curvature + r0 * slope) / (r0 + r1)
    w1 = -slope / r0 - second * (1.0 / r0 + 1.0 / r1)
    w2 = second / r1
    return (1.0 - w1 - w2, w1, w2)


def _moment(k: int, rate: float) -> float:
    """M_k = int_0^1 H e^{-H(1-u)} u^k du, H = rate >= 0."""
    if rate < 1.0:
        # The recursion below cancels for small H; the series k! sum_j (-1)^{j-1} H^j/(k+j)! does not.
        total, term = 0.0, -1.0
        for j in range(1, 20):
            term *= -rate / (k + j)
            total += term
        return total
    value = -math.expm1(-rate)
    for n in range(1, k + 1):
        value = 1.0 - n * value / rate
    return value


def _rate(solver: Solver) -> float:
    if solver not in _RATE:
        raise InvalidOption(f"solver is {solver!r}; it can be sde or ode.")
    return _RATE[solver]
