# SPDX-License-Identifier: GPL-3.0-or-later
"""What leads before the original steps in: a trajectory from noise towards the reference, kept level by level.

`from_noise` samples it under guidance (the paper: the prompt that the reference was learned with). `from_reference` needs
no training: it is the reference's own edit-friendly inversion. Its noise maps carry the reference's structure, so they
go on being the noise of the second phase: it is through them that the reference is still heard after the original has
stepped in, where the paper relies on the fine-tuned network for that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from server.sampling.invert import edit_friendly
from server.sampling.levels import Levels
from server.sampling.noise import KeyedNoise, NoiseSource
from server.sampling.solve import Denoise, State, advance
from server.sampling.step import Form, Solver

Tick = Callable[[str, int], None]
"""Told the phase and how many network evaluations of one item come next; raises JobCancelled to stop."""


@dataclass(frozen=True)
class Stepper:
    """How a step is taken: solver, order and form, as `server.sampling.step` names them."""

    solver: Solver
    order: int
    form: Form

    def advance(self, state: State, x0hat: Tensor, levels: Levels, noise: NoiseSource,
                linear: Tensor | None = None) -> State:
        return advance(state, x0hat, levels, noise=noise, solver=self.solver, order=self.order, form=self.form,
                       linear=linear)


@dataclass(frozen=True)
class Lead:
    """A led trajectory by level: its states, the network's answers to them, and the noise of every step of both phases.

    noised: the noise of unit deviation that the state at a level holds, where it is known: an original noised alike
    meets a sampler that finds as much noise as it expects.
    """

    states: Mapping[int, State]
    x0hats: Mapping[int, Tensor]
    noise: NoiseSource
    noised: Callable[[int], Tensor] | None = None


@torch.no_grad()
def from_noise(denoise: Denoise, levels: Levels, shape: Sequence[int], noise: KeyedNoise, stepper: Stepper, last: int,
               device: torch.device, tick: Tick, cost: int) -> Lead:
    """Sample from noise down to level `last`; `cost` is the evaluations per item of one call of `denoise`."""
    state = State(noise.initial(shape).to(device))
    states, x0hats = {}, {}
    for i in range(last + 1):
        tick("leading", cost)
        x0hats[i], states[i] = denoise(state.x, levels.at(i)), state
        state = stepper.advance(state, x0hats[i], levels, noise)
    return Lead(states, x0hats, noise)


@torch.no_grad()
def from_reference(denoise: Denoise, x0: Tensor, levels: Levels, noise: KeyedNoise, stepper: Stepper, first: int,
                   tick: Tick, batch: int = 16) -> Lead:
    """Invert the reference's latents `x0` [items, ...] from the level `first` on, and two more for a solver's history.

    The terms that lead from each state to the next are solved for the solver and order in use, random or not, so that the
    reference alone comes back exactly.
    """
    n = levels.n_steps
    start = max(first - 2, 0)
    counts = {i: min(batch, n - i) for i in range(start, n, batch)}
    trajectory = edit_friendly(x0, denoise, levels, range(start, n), noise, batch=batch,
                               on_step=lambda event: tick("following the reference", counts[event.step]))
    states = {i: trajectory.state(i) for i in range(start, n)}
    x0hats = {i: trajectory.estimate(i) for i in states}
    terms = trajectory.noise(solver=stepper.solver, order=stepper.order, form=stepper.form)
    fresh = noise.stream("edit-friendly")
    return Lead(states, x0hats, terms, lambda level: fresh(level, x0.shape[1:]).to(x0))
