"""Ping-pong sampling: how networks distilled to a few steps are walked from noise to sound (Novack et al. 2025, ARC).

Each step leaps to the network's x0hat and noises it anew: x_s = alpha_s x0hat + sigma_s z. No term of the state before it
remains, which is what tells it from the stochastic step of `server.sampling.step`.
"""

from __future__ import annotations

import torch

from server.sampling.levels import Levels
from server.sampling.noise import NoiseSource
from server.sampling.solve import Denoise, OnStep, State, StepEvent, ignore


@torch.no_grad()
def ping_pong(denoise: Denoise, state: State, levels: Levels, *, noise: NoiseSource, on_step: OnStep = ignore,
              phase: str = "sample") -> State:
    """The state at the end of the schedule, by one evaluation of `denoise` a step; it keeps no history.

    Args:
        denoise: `(x [batch, ...], level)` to an estimate of x0 of the same shape.
        noise: asked for sigma_s z of every step, by its index.
        on_step: called before each evaluation; what it raises (JobCancelled) ends the sampling there.
    """
    snr_db = levels.snr_db.tolist()
    x = state.x
    for index in range(state.index, levels.n_steps):
        on_step(StepEvent(index, levels.n_steps, phase, snr_db[index]))
        x = float(levels.alpha[index + 1]) * denoise(x, levels.at(index))
        term = noise.term(index, tuple(x.shape[1:]), float(levels.sigma[index + 1]))
        if term is not None:
            x = x + term.to(x)
    return State(x, levels.n_steps)
