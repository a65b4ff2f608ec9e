# SPDX-License-Identifier: GPL-3.0-or-later
"""Posterior guidance: sampling pulled toward a measurement y = T(x) by the gradient of `L(x0) = |T(x0) - y|^2`.

    irs   x0* = x0hat - g grad_{x0} L(x0hat),  x_s = A x_t + B x0*      DiffMusic (004) eq. 4 to 6, algorithm 1; as MPGD
    dps   x_s = A x_t + B x0hat - g grad_{x_t} L(x0hat(x_t))            algorithms 2 and 3; Chung et al. 2023
    dsg   x_s = m + r d/|d|,  m = A x_t + B x0hat,  r = S sqrt(n),      Yang et al. 2024
          d = (1 - w) S e - w r grad/|grad|, grad as in dps

A, B, S and the noise e are those of `server.sampling.step`; the paper takes irs and dps without noise (ode) and dsg needs
it (sde). irs differentiates the measurement alone, dps and dsg the network too. None of them reaches the exact posterior,
not even of a linear measurement of a normal distribution; there irs and dps with a fixed g are affine maps of the noise.

`literal` is the paper where it differs. Its "DPS" holds the network's answer constant, which makes the gradient
grad_{x0} L / alpha_t (so the public code; the box prints a derivative that its own figures never took). Its box of DSG
takes x_t - m in the place of the fresh noise and differentiates by the coming state, on which L does not depend: the
public code's reading, by x0, is what can be computed. The final length gamma of that box has no printed value and is r
here, with r = sqrt(n) sigma_s/sigma_t as printed. irs is printed as it is meant.

A fixed g depends on scale and size of the measurement. `normalised` needs no tuning for that: it goes `rate` times as far
as the gradient says that L becomes 0 (Polyak's step, L/|grad|^2 grad), but at most `radius` deviations of what is still
open at this level, min(1, sigma/alpha) for each coefficient that the measurement depends on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from server.sampling.levels import Level, Levels
from server.sampling.noise import NoiseSource
from server.sampling.solve import Denoise, OnStep, State, StepEvent, advance, ignore
from server.sampling.step import Solver, coefficients

Algorithm = Literal["irs", "dps", "dsg"]
Loss = Callable[[Tensor], Tensor]
"""x0 estimate [batch, ...] -> squared distance from the measurement [groups], differentiable. Items that share a
measurement (the sources of a mixture) are one group; the batch is groups of equal size, one after the other."""

Guide = Callable[[Denoise, State, Levels], State]
"""One guided step: the state one level further."""

_STEEP = 1e-20  # |grad|^2 below which there is nowhere to go


@dataclass(frozen=True)
class Pull:
    """How far a gradient is followed.

    rate: g of a fixed step; of a normalised one, the share of the way to L = 0. radius: the longest normalised step.
    """

    rate: float = 1.0
    normalised: bool = True
    radius: float = 0.3

    def along(self, gradient: Tensor, loss: Tensor, room: float) -> Tensor:
        """What is subtracted, shaped as `gradient` [batch, ...]; loss is [groups], room the deviation still open."""
        if not self.normalised:
            return self.rate * gradient
        grouped = gradient.reshape(len(loss), -1)
        squared = grouped.square().sum(1).clamp(min=_STEEP)
        # A model may denoise a whole window around a short clip: what the measurement does not hear, has no part in this.
        longest = self.radius * room * (grouped != 0).sum(1).sqrt()
        factor = torch.minimum(self.rate * loss.detach() / squared, longest / squared.sqrt())
        return (grouped * factor[:, None]).reshape(gradient.shape)


@dataclass(frozen=True)
class Irs:
    """Iterative refinement sampling: the estimate is corrected, and with it the noise that remains (eq. 4 to 6)."""

    loss: Loss
    pull: Pull
    noise: NoiseSource
    solver: Solver = "ode"
    order: int = 1

    def __call__(self, denoise: Denoise, state: State, levels: Levels) -> State:
        level = levels.at(state.index)
        with torch.no_grad():
            x0 = denoise(state.x, level)
        loss, gradient = loss_and_gradient(self.loss, x0)
        x0 = x0 - self.pull.along(gradient, loss, room_at(level))
        return advance(state, x0, levels, noise=self.noise, solver=self.solver, order=self.order)


@dataclass(frozen=True)
class Dps:
    """Diffusion posterior sampling: the coming state is moved against the gradient at the present one.

    literal: the network's answer is held constant, as the public code of the paper does.
    """

    loss: Loss
    pull: Pull
    noise: NoiseSource
    solver: Solver = "ode"
    literal: bool = False

    def __call__(self, denoise: Denoise, state: State, levels: Levels) -> State:
        level = levels.at(state.index)
        x0, loss, gradient = _through_network(denoise, state.x, level, self.loss, frozen=self.literal)
        pushed = self.pull.along(gradient, loss, room_at(level) * float(level.alpha))
        after = advance(state, x0, levels, noise=self.noise, solver=self.solver, order=1)
        return State(after.x - pushed, after.index)


@dataclass(frozen=True)
class Dsg:
    """Spherical Gaussian constraint: the step's noise, turned by the share w toward the measurement, at its usual length.

    literal: the paper's algorithm 4 as far as it can be computed.
    """

    loss: Loss
    share: float
    noise: NoiseSource
    literal: bool = False

    def __call__(self, denoise: Denoise, state: State, levels: Levels) -> State:
        level, step = levels.at(state.index), coefficients(levels, state.index, "sde")
        x0, loss, gradient = _through_network(denoise, state.x, level, self.loss, frozen=self.literal)
        mean = step.A * state.x + step.B * x0
        if step.S == 0.0:
            return State(mean, state.index + 1)
        groups, n = len(loss), gradient.numel() // len(loss)
        scale = float(levels.sigma[state.index + 1] / level.sigma) if self.literal else step.S
        radius = scale * math.sqrt(n)
        if self.literal:
            drawn = state.x - mean
        else:
            term = self.noise.term(state.index, tuple(mean.shape[1:]), step.S)
            assert term is not None, "a step with S > 0 has noise"
            drawn = term.to(mean)
        down = -radius * _unit(gradient.reshape(groups, n))
        mixed = torch.lerp(drawn.reshape(groups, n), down, self.share)
        return State(mean + (radius * _unit(mixed)).reshape(mean.shape), state.index + 1)


@dataclass(frozen=True)
class Held:
    """A guide whose states are what is known already wherever `known` (1, 0 or between, as x0 broadcast) says so.

    What is known follows its own noised trajectory alpha x0 + sigma e with one e for all levels, and is x0 itself where
    the schedule ends, also above sigma 0: that is what is decoded.
    """

    guide: Guide
    known: Tensor
    x0: Tensor
    e: Tensor

    def at(self, level: Level) -> Tensor:
        """The known trajectory at a level, [batch, ...]."""
        alpha, sigma = level.factors(self.x0)
        return alpha * self.x0 + sigma * self.e

    def __call__(self, denoise: Denoise, state: State, levels: Levels) -> State:
        after = self.guide(denoise, state, levels)
        own = self.x0 if after.index == levels.n_steps else self.at(levels.at(after.index))
        x = torch.lerp(after.x, own, self.known)
        return State(x, after.index, after.history)


def steer(denoise: Denoise, state: State, levels: Levels, guide: Guide, *, on_step: OnStep = ignore,
          phase: str = "restore") -> State:
    """The state at the end of the schedule, by one step of `guide` a level.

    `on_step` is called before each; what it raises (JobCancelled) ends the sampling there.
    """
    snr_db = levels.snr_db.tolist()
    while state.index < levels.n_steps:
        on_step(StepEvent(state.index, levels.n_steps, phase, snr_db[state.index]))
        state = guide(denoise, state, levels)
    return state


def loss_and_gradient(loss: Loss, x: Tensor) -> tuple[Tensor, Tensor]:
    """L(x) [groups] and its gradient by x [batch, ...], both detached."""
    with torch.enable_grad():
        at = x.detach().requires_grad_()
        value = loss(at)
        (gradient,) = torch.autograd.grad(value.sum(), at)
    return value.detach(), gradient


def room_at(level: Level) -> float:
    """min(1, sigma/alpha): how many deviations of x0 (about 1) a state at this level leaves open."""
    return min(1.0, float(level.edm_sigma))


def _through_network(denoise: Denoise, x: Tensor, level: Level, loss: Loss, frozen: bool) -> tuple[Tensor, Tensor, Tensor]:
    """x0hat, L and the gradient of L by x; `frozen` holds the predicted noise constant, so that dx0hat/dx is 1/alpha."""
    if frozen:
        with torch.no_grad():
            x0 = denoise(x, level)
        value, gradient = loss_and_gradient(loss, x0)
        return x0, value, gradient / level.factors(x)[0]
    with torch.enable_grad():
        at = x.detach().requires_grad_()
        x0 = denoise(at, level)
        value = loss(x0)
        (gradient,) = torch.autograd.grad(value.sum(), at)
    return x0.detach(), value.detach(), gradient


def _unit(rows: Tensor) -> Tensor:
    """Rows [groups, n] brought to length 1; a row of zeros stays one."""
    return rows / rows.norm(dim=1, keepdim=True).clamp(min=math.sqrt(_STEEP))
