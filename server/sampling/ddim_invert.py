"""DDIM inversion: the deterministic step run upward, from a clip's latents to the noise that it seems to come from.

ZeroSep, eq. 2 (Song et al., eq. 13), in eps = (x - alpha x0hat)/sigma:

    x_t = alpha_t (x_s - sigma_s eps)/alpha_s + sigma_t eps        from level s to the noisier level t

An exact inverse would need eps(x_t, t), of a state that is only being looked for. What stands for it is eps(x_s, t): all
public code evaluates the state that it has at the level that it goes to (`label="next"`). The equation as the papers print
it has eps(x_s, s) (`label="literal"`). Both are of first order in the step: the round trip through the ode step of order 1
comes back to x0 up to an error that halves as the steps double; where a schedule ends with a long step to sigma 0 (Stable
Audio Open: from 0.3), what that step leaves stays. States depend on one another, so nothing can be evaluated in parallel,
and nothing but the latents comes in: there is no noise map.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from server.errors import InvalidOption
from server.sampling.levels import Level, Levels
from server.sampling.solve import Denoise, OnStep, State, StepEvent, ignore

Label = Literal["next", "literal"]


@torch.no_grad()
def ddim_invert(
    x0: Tensor,
    denoise: Denoise,
    levels: Levels,
    *,
    until: int = 0,
    label: Label = "next",
    on_step: OnStep = ignore,
    phase: str = "invert",
) -> State:
    """The state at level `until` from which the ode leads back to about `x0`, by one evaluation a step.

    Args:
        x0: latents [items, ...]; they are the state at the end of the schedule, also where that is above sigma 0.
        until: level to go up to; the evaluations are `levels.n_steps - until`.
        label: which level the network is told: of the state that is looked for ("next"), or of the one it is given
            ("literal"). Where the schedule ends at sigma 0, which is no input of a network, its step is always "next".
        on_step: called before each evaluation with the level that is looked for.

    Raises:
        InvalidOption: a label that does not exist.
        ValueError: `until` is no level of the schedule.
    """
    if label not in get_args(Label):
        raise InvalidOption(f"label is {label!r}; it can be next or literal.")
    if not 0 <= until <= levels.n_steps:
        raise ValueError(f"cannot invert up to level {until} of a schedule of {levels.n_steps}")
    snr_db = levels.snr_db.tolist()
    x = x0
    for i in range(levels.n_steps - 1, until - 1, -1):
        on_step(StepEvent(i, levels.n_steps, phase, snr_db[i]))
        below, above = levels.at(i + 1), levels.at(i)
        at = below if label == "literal" and float(below.sigma) > 0.0 else above
        x = _noisier(x, _noise_in(x, denoise(x, at), at), below, above)
    return State(x, until)


def _noise_in(x: Tensor, x0hat: Tensor, level: Level) -> Tensor:
    """eps: what the answer `x0hat` leaves of a state, in units of the level's sigma."""
    alpha, sigma = level.factors(x)
    return (x - alpha * x0hat) / sigma


def _noisier(x: Tensor, eps: Tensor, below: Level, above: Level) -> Tensor:
    """Eq. 2: the same signal and the same noise, in the proportions of the noisier level."""
    alpha_s, sigma_s = below.factors(x)
    alpha_t, sigma_t = above.factors(x)
    return alpha_t * (x - sigma_s * eps) / alpha_s + sigma_t * eps
