# SPDX-License-Identifier: GPL-3.0-or-later
"""Guidance on data and measurement that are normal: everything has an answer in matrices, computed apart in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from server.sampling.levels import Level, levels_from_edm_sigmas, log_linear_edm_sigmas
from server.sampling.noise import GivenNoise, KeyedNoise
from server.sampling.posterior import Dps, Dsg, Held, Irs, Pull, loss_and_gradient, steer
from server.sampling.solve import State, advance
from server.sampling.step import coefficients

N, M, RATE = 4, 2, 0.05
NOISE = 0.3


@dataclass(frozen=True)
class Linear:
    """x0 ~ N(mean, cov) in N dimensions, y = H x0 + NOISE e."""

    mean: Tensor
    cov: Tensor
    H: Tensor
    y: Tensor

    def denoise(self, x: Tensor, level: Level) -> Tensor:
        return self.mean + (x - level.alpha * self.mean) @ self.gain(level).T

    def gain(self, level: Level) -> Tensor:
        alpha, sigma = level.alpha, level.sigma
        return alpha * self.cov @ torch.linalg.inv(alpha**2 * self.cov + sigma**2 * torch.eye(N, dtype=torch.float64))

    def loss(self, x0: Tensor) -> Tensor:
        return (x0 @ self.H.T - self.y).square().sum(1)

    def posterior(self) -> tuple[Tensor, Tensor]:
        K = self.cov @ self.H.T @ torch.linalg.inv(self.H @ self.cov @ self.H.T + NOISE**2 * torch.eye(M).double())
        return self.mean + K @ (self.y - self.H @ self.mean), self.cov - K @ self.H @ self.cov


@pytest.fixture
def linear() -> Linear:
    generator = torch.Generator().manual_seed(5)
    mean, y = (torch.randn(n, generator=generator).double() for n in (N, M))
    root, H = (torch.randn(n, N, generator=generator).double() for n in (N, M))
    return Linear(mean, root @ root.T / N + 0.1 * torch.eye(N).double(), H, y)


@pytest.fixture
def levels():
    return levels_from_edm_sigmas(log_linear_edm_sigmas(10, 20.0, 0.2))


def affine(linear, levels, make_guide, solver):
    """Mean and covariance of the result: the loop run on zero and on every unit of the start and of every step's noise."""
    steps = [i for i in range(levels.n_steps) if coefficients(levels, i, solver).S]
    sources = [None, *steps]
    batch = 1 + N * len(sources)
    x = torch.zeros(batch, N).double()
    x[1:1 + N] = torch.eye(N)
    z = {i: torch.zeros(batch, N).double() for i in range(levels.n_steps)}
    for place, i in enumerate(steps, 1):
        z[i][1 + N * place:1 + N * (place + 1)] = torch.eye(N)
    result = steer(linear.denoise, State(x), levels, make_guide(GivenNoise(z))).x
    columns = result[1:] - result[0]
    return result[0], columns.T @ columns


def recursion(linear, levels, algorithm, solver):
    """The same two by matrices alone: x_s = (A + B P) x_t + B p + S z, with P, p of the guided estimate."""
    identity = np.eye(N)
    H, y, mu = linear.H.numpy(), linear.y.numpy(), linear.mean.numpy()
    mean, cov = np.zeros(N), identity
    for i in range(levels.n_steps):
        level, step = levels.at(i), coefficients(levels, i, solver)
        G = linear.gain(level).numpy()
        g = mu - float(level.alpha) * G @ mu
        pull, offset = 2 * RATE * H.T @ H, 2 * RATE * H.T @ y
        if algorithm == "irs":
            linear_part = step.A * identity + step.B * (identity - pull) @ G
            constant = step.B * ((identity - pull) @ g + offset)
        else:
            through = G.T if algorithm == "dps" else identity / float(level.alpha)
            linear_part = step.A * identity + step.B * G - through @ pull @ G
            constant = step.B * g - through @ (pull @ g - offset)
        mean = linear_part @ mean + constant
        cov = linear_part @ cov @ linear_part.T + step.S**2 * identity
    return torch.from_numpy(mean), torch.from_numpy(cov)


@pytest.mark.parametrize("solver", ["ode", "sde"])
@pytest.mark.parametrize("algorithm", ["irs", "dps", "literal"])
def test_irs_and_dps_are_the_affine_maps_of_their_formulas(linear, levels, algorithm, solver):
    fixed = Pull(RATE, normalised=False)
    make = {"irs": lambda noise: Irs(linear.loss, fixed, noise, solver),
            "dps": lambda noise: Dps(linear.loss, fixed, noise, solver),
            "literal": lambda noise: Dps(linear.loss, fixed, noise, solver, literal=True)}[algorithm]
    mean, cov = affine(linear, levels, make, solver)
    expected_mean, expected_cov = recursion(linear, levels, algorithm, solver)
    torch.testing.assert_close(mean, expected_mean, rtol=0, atol=1e-6)
    torch.testing.assert_close(cov, expected_cov, rtol=0, atol=1e-6)


@dataclass(frozen=True)
class Exact:
    """x0hat + sigma^2/alpha grad_x log N(y; H x0hat(x), H C_t H^T + NOISE^2): the posterior's own estimate (Tweedie)."""

    linear: Linear

    def __call__(self, denoise, state, levels):
        level = levels.at(state.index)
        linear, alpha, sigma = self.linear, level.alpha, level.sigma
        conditional = sigma**2 / alpha * linear.gain(level)  # Cov(x0 | x_t)
        noise = NOISE**2 * torch.eye(M).double()
        precision = torch.linalg.inv(linear.H @ conditional @ linear.H.T + noise)

        def surprise(x: Tensor) -> Tensor:
            r = denoise(x, level) @ linear.H.T - linear.y
            return 0.5 * ((r @ precision) * r).sum(1)

        _, gradient = loss_and_gradient(surprise, state.x)
        estimate = denoise(state.x, level) - sigma**2 / alpha * gradient
        return advance(state, estimate, levels, noise=GivenNoise({}), solver="ode", order=3)


def test_exact_guidance_through_the_same_loop_reaches_the_posterior(linear):
    levels = levels_from_edm_sigmas(log_linear_edm_sigmas(300, 500.0, 0.002))
    mean, cov = affine(linear, levels, lambda noise: Exact(linear), "ode")
    posterior_mean, posterior_cov = linear.posterior()
    torch.testing.assert_close(mean, posterior_mean, rtol=0, atol=3e-3)
    torch.testing.assert_close(cov, posterior_cov, rtol=0, atol=3e-3)
    assert (posterior_mean - linear.mean).norm() > 0.3, "a measurement that says something"


@pytest.mark.parametrize("literal", [False, True])
def test_dsg_steps_onto_the_sphere_and_the_share_turns_it(linear, levels, literal):
    x = torch.randn(3, N, generator=torch.Generator().manual_seed(2)).double()
    state, step = State(x, 4), coefficients(levels, 4, "sde")
    mean = step.A * x + step.B * linear.denoise(x, levels.at(4))
    radius = 2.0 * (float(levels.sigma[5] / levels.sigma[4]) if literal else step.S)
    guided = Dsg(linear.loss, 1.0, KeyedNoise(0, range(3)), literal)(linear.denoise, state, levels).x - mean
    torch.testing.assert_close(guided.norm(dim=1), torch.full((3,), radius).double())
    _, gradient = loss_and_gradient(lambda v: linear.loss(linear.denoise(v, levels.at(4))), x)
    if literal:  # with the network's answer held constant
        _, gradient = loss_and_gradient(linear.loss, linear.denoise(x, levels.at(4)))
    torch.testing.assert_close(guided / radius, -gradient / gradient.norm(dim=1, keepdim=True))
    free = Dsg(linear.loss, 0.0, KeyedNoise(0, range(3)), literal)(linear.denoise, state, levels).x - mean
    drawn = x - mean if literal else KeyedNoise(0, range(3))(4, (N,)).double()
    torch.testing.assert_close(free / radius, drawn / drawn.norm(dim=1, keepdim=True))


def test_a_normalised_pull_is_polyak_s_step_within_its_radius():
    pull = Pull(rate=2.0, radius=0.5)
    x = torch.tensor([[3.0, 4.0, 9.0], [0.3, 0.4, 9.0]])  # nothing depends on the third
    loss, gradient = loss_and_gradient(lambda v: v[:, :2].square().sum(1), x)
    moved = pull.along(gradient, loss, room=1.0)
    torch.testing.assert_close(moved[1, :2], x[1, :2])  # L = |x|^2 is 0 after x itself
    assert moved[0].norm() == pytest.approx(0.5 * 2**0.5)
    torch.testing.assert_close(Pull(0.1, normalised=False).along(gradient, loss, 1.0), 0.1 * gradient)


def test_what_shares_a_measurement_is_one_group():
    pull = Pull(rate=1.0, radius=100.0)
    stems = torch.tensor([[1.0], [2.0], [5.0], [7.0]])  # two mixtures of two stems
    mixtures = torch.tensor([1.0, 20.0])
    loss, gradient = loss_and_gradient(lambda v: (v.reshape(2, 2).sum(1) - mixtures).square(), stems)
    assert loss.tolist() == [4.0, 64.0]
    moved = pull.along(gradient, loss, 1.0)
    torch.testing.assert_close(moved[:, 0], torch.tensor([0.5, 0.5, -2.0, -2.0]))  # half of what closes the gap, shared


def test_what_is_held_ends_as_it_is_known(linear, levels):
    x0, e = torch.randn(2, 1, N, generator=torch.Generator().manual_seed(1)).double()
    known = torch.tensor([[1.0, 1.0, 0.0, 0.0]]).double()
    guide = Held(Irs(linear.loss, Pull(0.0, normalised=False), GivenNoise({})), known, x0, e)
    end = steer(linear.denoise, State(guide.at(levels.at(0))), levels, guide).x
    torch.testing.assert_close(end[0, :2], x0[0, :2])
    assert (end[0, 2:] - x0[0, 2:]).abs().max() > 0.01


def test_what_is_held_is_not_noised_where_a_schedule_stops_above_sigma_0(linear):
    x0, e = torch.randn(2, 1, N, generator=torch.Generator().manual_seed(1)).double()
    known = torch.tensor([[1.0, 1.0, 0.0, 0.0]]).double()
    levels = levels_from_edm_sigmas(torch.tensor([3.0, 1.0, 0.3]))
    guide = Held(Irs(linear.loss, Pull(0.0, normalised=False), GivenNoise({})), known, x0, e)
    end = steer(linear.denoise, State(guide.at(levels.at(0))), levels, guide).x
    torch.testing.assert_close(end[0, :2], x0[0, :2])
