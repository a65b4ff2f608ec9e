"""Solving: from a state at one noise level to a cleaner one, one network evaluation a step.

There is no hidden state: all that a solver remembers is in `State`, so a trajectory is kept, branched and resumed by
keeping the value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from server.sampling.levels import Level, Levels
from server.sampling.noise import NoiseSource
from server.sampling.step import Form, History, Solver, coefficients, extrapolate

Denoise = Callable[[Tensor, Level], Tensor]  # (x [batch, ...], level) -> estimate of x0, same shape

_REMEMBERED = 2  # what order 3 needs


@dataclass(frozen=True)
class StepEvent:
    """What is about to be evaluated: step `step` of `n_steps` of the schedule (0 is the noisiest), in a named phase."""

    step: int
    n_steps: int
    phase: str
    snr_db: float


OnStep = Callable[[StepEvent], None]


def ignore(event: StepEvent) -> None:
    """An `on_step` for those who neither show progress nor cancel."""


@dataclass(frozen=True, eq=False)
class State:
    """Where a trajectory is: x [batch, ...] at level `index`, and the x0hat of the last levels, newest first."""

    x: Tensor
    index: int = 0
    history: History = ()


def mean(state: State, x0hat: Tensor, levels: Levels, *, solver: Solver, order: int, form: Form,
         linear: Tensor | None = None) -> Tensor:
    """Where the step from `state` leads without its random term, given the network's answer `x0hat`; as `advance`."""
    step = coefficients(levels, state.index, solver)
    estimate = extrapolate(x0hat, state.history, levels, state.index, solver=solver, order=order, form=form)
    return step.A * (state.x if linear is None else linear) + step.B * estimate


def advance(
    state: State,
    x0hat: Tensor,
    levels: Levels,
    *,
    noise: NoiseSource,
    solver: Solver = "sde",
    order: int = 2,
    form: Form = "midpoint",
    linear: Tensor | None = None,
) -> State:
    """The state one level further, given the network's answer `x0hat` at the present one. No network call.

    Args:
        noise: asked for the random term of step `state.index`.
        solver, order, form: see `server.sampling.step`.
        linear: takes the place of x_t in the linear term A x_t alone; the model-output term and the noise stay with
            this trajectory (fusion paper, section 3.3: how an inverted latent intervenes).
    """
    x = mean(state, x0hat, levels, solver=solver, order=order, form=form, linear=linear)
    term = noise.term(state.index, tuple(x.shape[1:]), coefficients(levels, state.index, solver).S)
    if term is not None:
        x = x + term.to(x)
    if x.shape != state.x.shape:
        raise ValueError(f"noise or injection of another batch: {tuple(state.x.shape)} became {tuple(x.shape)}")
    remembered = ((float(levels.lam[state.index]), x0hat), *state.history)[:_REMEMBERED]
    return State(x, state.index + 1, remembered)


@torch.no_grad()
def solve(
    denoise: Denoise,
    state: State,
    levels: Levels,
    *,
    noise: NoiseSource,
    until: int | None = None,
    solver: Solver = "sde",
    order: int = 2,
    form: Form = "midpoint",
    on_step: OnStep = ignore,
    phase: str = "sample",
) -> State:
    """The state at level `until` (None: the end of the schedule), by one evaluation of `denoise` a step.

    `on_step` is called before each evaluation; what it raises (JobCancelled) ends the solving there.
    """
    until = levels.n_steps if until is None else until
    if not state.index <= until <= levels.n_steps:
        raise ValueError(f"cannot solve from level {state.index} to {until} of {levels.n_steps}")
    snr_db = levels.snr_db.tolist()
    while state.index < until:
        on_step(StepEvent(state.index, levels.n_steps, phase, snr_db[state.index]))
        x0hat = denoise(state.x, levels.at(state.index))
        state = advance(state, x0hat, levels, noise=noise, solver=solver, order=order, form=form)
    return state
