# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows cover a clip, sum to 1, and a render joined at every step equals the whole one where the answer is known."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch.autograd import forward_ad

from server.sampling.levels import levels_even_in_snr, scaled_linear_alphas_cumprod
from server.sampling.noise import KeyedNoise
from server.sampling.solve import State, solve
from server.sampling.step import coefficients
from server.sampling.windows import join, plan_windows, split, weights

LEVELS = levels_even_in_snr(scaled_linear_alphas_cumprod(0.0015, 0.0195), 20)
FRAMES, WINDOW, RHO = 300, 96, 0.25


@pytest.mark.parametrize(("length", "overlap"), [(2, 1), (7, 3), (16, 4), (16, 8), (64, None)])
def test_windows_cover_every_length(length, overlap):
    for n_frames in range(1, 6 * length):
        plan = plan_windows(n_frames, length, overlap)
        assert plan.starts[0] == 0 and plan.starts[-1] + plan.length == n_frames
        hops = [b - a for a, b in zip(plan.starts, plan.starts[1:], strict=False)]
        shared = overlap or round(length / 4)
        assert all(0 < hop <= length - shared for hop in hops)
        assert plan.n_windows == 1 or plan.n_windows - 1 == -(-(n_frames - length) // (length - shared))
        ends = [fade + plan.fade for fade in plan.fades]
        assert all(end <= fade for end, fade in zip(ends, plan.fades[1:], strict=False))
        assert all(s <= f and f + plan.fade <= s0 + length
                   for s0, s, f in zip(plan.starts, plan.starts[1:], plan.fades, strict=False))


def test_weights_sum_to_one_and_are_0_where_a_window_knows_least():
    plan = plan_windows(300, 96)
    heard = weights(plan)
    torch.testing.assert_close(heard.sum(0), torch.ones(300))
    assert plan.n_windows == 4 and int((heard > 0).sum(0).max()) == 2
    for k, start in enumerate(plan.starts):
        assert (k == 0 or not heard[k, start : start + 6].any()) and float(heard[k, start + 48]) == 1.0


def test_what_was_split_is_joined_again_and_a_single_window_is_untouched():
    x = torch.randn(2, 3, 50, 4, generator=torch.Generator().manual_seed(0))
    plan = plan_windows(50, 16)
    torch.testing.assert_close(join(split(x, plan), plan), x, atol=1e-6, rtol=0)
    whole = plan_windows(10, 16)
    assert join([x[:, :, :10]], whole) is not None and whole.starts == (0,) and whole.length == 10
    audio = torch.arange(500.0).reshape(1, 1, 500)
    torch.testing.assert_close(join(split(audio, plan.scaled(10)), plan.scaled(10)), audio)


def test_gradients_and_directional_derivatives_pass_through():
    plan = plan_windows(40, 16)
    x, v = torch.randn(2, 1, 2, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def run(x):
        return join([part * part for part in split(x, plan)], plan)

    with warnings.catch_warnings(), forward_ad.dual_level():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch scripts its own decompositions at the first use
        along = forward_ad.unpack_dual(run(forward_ad.make_dual(x, v))).tangent
    torch.testing.assert_close(along, 2 * x * v)
    x.requires_grad_(True)
    (run(x) * v).sum().backward()
    torch.testing.assert_close(x.grad, 2 * x.detach() * v)


@pytest.mark.parametrize("wrong", [(0, 8, 2), (9, 1, 1), (9, 8, 0), (9, 8, 5)])
def test_a_plan_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="windows"):
        plan_windows(*wrong)
    with pytest.raises(ValueError, match="plan has 20"):
        split(torch.zeros(1, 1, 21), plan_windows(20, 8))


def gain(n: int, level) -> torch.Tensor:
    """The exact denoiser of a stationary process with covariance RHO^|i - j|, as a matrix [n, n]."""
    place = torch.arange(n)
    covariance = RHO ** (place[:, None] - place[None]).abs().double()
    alpha, sigma = level.alpha, level.sigma
    return alpha * covariance @ torch.linalg.inv(alpha**2 * covariance + sigma**2 * torch.eye(n, dtype=torch.float64))


def joined_gain(level) -> torch.Tensor:
    """The same, evaluated in windows and joined."""
    plan, within = plan_windows(FRAMES, WINDOW), gain(WINDOW, level)
    rows = torch.eye(FRAMES, dtype=torch.float64)[:, None]
    return join([part @ within.T for part in split(rows, plan)], plan)[:, 0].T


def test_a_joined_render_equals_the_whole_one():
    noise = KeyedNoise(3, range(4))
    start = State(noise.initial((1, FRAMES)))
    plan = plan_windows(FRAMES, WINDOW)

    def whole(x, level):
        return x @ gain(FRAMES, level).float().T

    def in_windows(x, level):
        return join([part @ gain(WINDOW, level).float().T for part in split(x, plan)], plan)

    for solver in ("sde", "ode"):
        one, other = (solve(d, start, LEVELS, noise=noise, solver=solver).x for d in (whole, in_windows))
        assert float((one - other).abs().max()) < 1e-3 * float(one.std())


def test_the_variance_stays_1_in_the_overlap_at_every_level():
    """Exact: the covariance of the state under the sde step, joined, against the whole; and the noise in it, which is what
    the state has beyond the data's share, against the noise where one window alone is heard."""
    state = joined = torch.eye(FRAMES, dtype=torch.float64)
    inside = weights(plan_windows(FRAMES, WINDOW)).count_nonzero(0) == 2
    for i in range(LEVELS.n_steps):
        step, level = coefficients(LEVELS, i, "sde"), LEVELS.at(i)
        one = step.A * torch.eye(FRAMES) + step.B * gain(FRAMES, level)
        other = step.A * torch.eye(FRAMES) + step.B * joined_gain(level)
        extra = step.S**2 * torch.eye(FRAMES, dtype=torch.float64)
        state, joined = one @ state @ one.T + extra, other @ joined @ other.T + extra
        assert float((joined.diagonal()[inside] / state.diagonal()[inside] - 1).abs().max()) < 1e-3
        if i + 1 < LEVELS.n_steps:
            noise = (joined - LEVELS.alpha[i + 1] ** 2 * _covariance()).diagonal()
            assert float((noise[inside] / noise[~inside].mean() - 1).abs().max()) < 0.02


def _covariance() -> torch.Tensor:
    place = torch.arange(FRAMES)
    return RHO ** (place[:, None] - place[None]).abs().double()
