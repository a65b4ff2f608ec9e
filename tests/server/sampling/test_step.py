from __future__ import annotations

import math

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler

from server.errors import InvalidOption
from server.sampling.levels import Levels, levels_from_edm_sigmas
from server.sampling.noise import GivenNoise
from server.sampling.solve import State, advance, solve
from server.sampling.step import coefficients, extrapolation_weights

QUIET = GivenNoise({})


def levels_at(lams) -> Levels:
    return levels_from_edm_sigmas(torch.exp(-torch.as_tensor(lams, dtype=torch.float64)))


def one_hot_noise(n: int) -> GivenNoise:
    """Row 0 of the batch carries no noise; row j + 1 only that of step j."""
    return GivenNoise({j: torch.eye(n + 1, dtype=torch.float64)[:, j + 1] for j in range(n)})


def test_audioldm2_from_96_to_91(audioldm2):
    levels = audioldm2(200)
    i = levels.time.tolist().index(96)
    step = coefficients(levels, i, "sde")
    assert (round(step.A, 6), round(step.B, 6), round(step.S, 6)) == (0.936964, 0.062783, 0.104442)


@pytest.mark.parametrize("eta, solver", [(0, "ode"), (1, "sde")])
def test_order_1_is_ddim(audioldm2, eta, solver):
    """DDIM (Song et al.), eq. 12 and 16, written with the cumulative products."""
    levels = audioldm2(200)
    for i in range(200):
        a_t, a_s = float(levels.alpha[i] ** 2), float(levels.alpha[i + 1] ** 2)
        deviation = eta * math.sqrt((1 - a_s) / (1 - a_t) * (1 - a_t / a_s))
        direction = math.sqrt(1 - a_s - deviation**2)
        step = coefficients(levels, i, solver)
        assert step.A == pytest.approx(direction / math.sqrt(1 - a_t), rel=1e-10)
        expected = math.sqrt(a_s) - direction * math.sqrt(a_t) / math.sqrt(1 - a_t)
        assert step.B == pytest.approx(expected, rel=1e-9, abs=1e-13)
        assert step.S == pytest.approx(deviation, rel=1e-9)


@pytest.mark.parametrize("solver", ["sde", "ode"])
def test_the_step_is_the_same_in_edm_coordinates(stable_audio, solver):
    """With alpha = 1 and r the ratio of the noise deviations: r^2, 1 - r^2 (sde); r, 1 - r (ode)."""
    levels = stable_audio(200)
    s = levels.at(range(201)).edm_sigma.tolist()
    for i in range(199):
        step, r = coefficients(levels, i, solver), s[i + 1] / s[i]
        alpha_t, alpha_s = float(levels.alpha[i]), float(levels.alpha[i + 1])
        weight = r * r if solver == "sde" else r
        assert step.A * alpha_t / alpha_s == pytest.approx(weight, rel=1e-10)
        assert step.B / alpha_s == pytest.approx(1 - weight, rel=1e-10)
        if solver == "sde":
            assert step.S / alpha_s == pytest.approx(s[i + 1] * math.sqrt(1 - r * r), rel=1e-9)


@pytest.mark.parametrize("solver", ["sde", "ode"])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_step_to_sigma_0_returns_x0hat(stable_audio, solver, order):
    levels = stable_audio(10)
    step = coefficients(levels, 9, solver)
    assert (step.A, step.B, step.S) == (0.0, 1.0, 0.0)
    x0hat = torch.randn(2, 3)
    history = tuple((float(levels.lam[i]), torch.randn(2, 3)) for i in (8, 7))
    state = State(torch.randn(2, 3), 9, history)
    assert torch.equal(advance(state, x0hat, levels, noise=QUIET, solver=solver, order=order).x, x0hat)


def test_a_step_of_no_length_changes_nothing():
    levels = levels_at([-1.0, 0.0, 0.0])
    for solver in ("sde", "ode"):
        step = coefficients(levels, 1, solver)
        assert (step.A, step.B, step.S) == (1.0, 0.0, 0.0)
        assert extrapolation_weights(levels, 1, [-1.0], solver, 3, "phi") == (1.0,)


def test_pure_noise_can_be_the_start():
    levels = Levels(*(torch.tensor(v, dtype=torch.float64) for v in ([0.0, 0.6, 1.0], [1.0, 0.8, 0.0], [1.0, 0.5, 0.0])))
    assert coefficients(levels, 0, "ode").A == 0.8
    assert coefficients(levels, 0, "sde") == type(coefficients(levels, 0, "sde"))(0.0, 0.6, 0.8)


@pytest.mark.parametrize("solver, rate", [("ode", 1.0), ("sde", 2.0)])
@pytest.mark.parametrize("order, form, degree", [(1, "phi", 0), (2, "phi", 1), (3, "phi", 2), (3, "midpoint", 2)])
@pytest.mark.parametrize("lams", [(-1.0, -0.7, -0.2, 0.1), (-1.0, 0.2, 0.9, 3.3), (0.0, 0.02, 0.031, 0.04)])
def test_single_step_mean_against_quadrature(solver, rate, order, form, degree, lams):
    """An x0(lambda) of degree `order` - 1 is integrated exactly, on uneven levels (eq. 2 and 4 of the fusion paper)."""
    levels = levels_at(lams)

    def x0(lam):
        return sum((0.3 + 0.5 * k) * (lam - 0.4) ** k for k in range(degree + 1))

    nodes = torch.linspace(lams[2], lams[3], 20001, dtype=torch.float64)
    weight = torch.exp(-rate * (lams[3] - nodes)) * rate * float(levels.alpha[3])
    values = weight * x0(nodes)
    width = (lams[3] - lams[2]) / 20000  # Simpson
    integral = width / 3 * (values[0] + values[-1] + 4 * values[1:-1:2].sum() + 2 * values[2:-1:2].sum())
    history = tuple((lams[i], torch.tensor([x0(lams[i])], dtype=torch.float64)) for i in (1, 0))
    state = State(torch.zeros(1, dtype=torch.float64), 2, history)
    noise = GivenNoise({2: torch.zeros(1)})
    answer = torch.tensor([x0(lams[2])], dtype=torch.float64)
    x = advance(state, answer, levels, noise=noise, solver=solver, order=order, form=form).x
    assert float(x) == pytest.approx(float(integral), rel=1e-10)


@pytest.mark.parametrize("order, form, expected", [(1, "midpoint", 1), (2, "midpoint", 2), (2, "phi", 2), (3, "phi", 3),
                                                   (3, "midpoint", 3), (3, "published", 2)])
def test_order_of_convergence_of_the_ode(gaussian, order, form, expected):
    def error(n: int) -> float:
        h = 4.0 / n
        levels = levels_at(-2.0 - 2 * h + h * torch.arange(n + 3, dtype=torch.float64))
        history = tuple((float(levels.lam[i]), gaussian(gaussian.flow(1.3, levels.at(i)), levels.at(i))) for i in (1, 0))
        start = State(gaussian.flow(1.3, levels.at(2)), 2, history)
        end = solve(gaussian, start, levels, noise=QUIET, solver="ode", order=order, form=form)
        return float((end.x - gaussian.flow(1.3, levels.at(n + 2))).abs())

    errors = [error(n) for n in (128, 256, 512)]
    measured = [math.log2(a / b) for a, b in zip(errors, errors[1:], strict=False)]
    assert measured == pytest.approx([expected, expected], abs=0.12), measured


@pytest.mark.parametrize("order, form, weak_order", [(1, "phi", 1), (2, "midpoint", 2), (2, "phi", 2), (3, "phi", 2)])
def test_final_variance_of_the_sde(gaussian, order, form, weak_order):
    """All is linear, so the variance is the sum of squares of what each noise becomes: one row of the batch per noise."""
    gaussian.mean = 0.0

    def error(n: int) -> float:
        levels = levels_at(torch.linspace(-2.5, 2.5, n + 1, dtype=torch.float64))
        x = torch.zeros(n + 1, dtype=torch.float64)
        x[0] = torch.sqrt(gaussian.variance(levels.at(0)))
        end = solve(gaussian, State(x), levels, noise=one_hot_noise(n), solver="sde", order=order, form=form).x
        exact = float(gaussian.variance(levels.at(n)))
        return abs(float((end**2).sum()) - exact) / exact

    coarse, fine = error(80), error(160)
    assert fine < (0.03 if order == 1 else 0.001)
    assert math.log2(coarse / fine) == pytest.approx(weak_order, abs=0.2)


def test_warm_up_is_order_1_then_2(stable_audio):
    levels = stable_audio(20)
    lam = levels.lam.tolist()
    assert extrapolation_weights(levels, 0, [], "sde", 3, "phi") == (1.0,)
    two = extrapolation_weights(levels, 1, [lam[0]], "sde", 3, "phi")
    assert two == extrapolation_weights(levels, 1, [lam[0]], "sde", 2, "phi")
    assert extrapolation_weights(levels, 1, [lam[0]], "sde", 3, "midpoint") == pytest.approx((1.5, -0.5))
    assert len(extrapolation_weights(levels, 2, [lam[1], lam[0]], "sde", 3, "phi")) == 3
    assert extrapolation_weights(levels, 2, [lam[1], lam[0]], "sde", 2, "phi") == pytest.approx(two)
    for order in (1, 2, 3):
        assert sum(extrapolation_weights(levels, 2, [lam[1], lam[0]], "ode", order, "published")) == pytest.approx(1.0)


def test_diffusers_sde_order_3_has_a_wrong_curvature():
    """Its weight of D2 tends to -1 as h tends to 0, where nothing should be left of it; only its own form has that."""
    scheduler = DPMSolverMultistepScheduler(algorithm_type="sde-dpmsolver++", solver_order=3)
    h = math.log(500 / 0.3) / 199
    lams = torch.tensor([-3 * h, -2 * h, -h, 0.0], dtype=torch.float64)
    levels = levels_at(lams)
    scheduler.sigmas = torch.exp(-lams)
    scheduler._step_index = 2
    bend = [torch.tensor([v], dtype=torch.float64) for v in (2.0, 0.0, 0.0)]  # D1_0 = 0, D1_1 = -2, D2 = 1, D1 = 1
    zero = torch.zeros(1, dtype=torch.float64)
    theirs = scheduler.multistep_dpm_solver_third_order_update(bend, sample=zero, noise=zero)
    history = ((-2 * h, bend[1]), (-3 * h, bend[0]))
    state, noise = State(zero, 2, history), GivenNoise({2: zero})
    ours = {form: advance(state, bend[2], levels, noise=noise, order=3, form=form).x
            for form in ("phi", "published", "diffusers")}
    alpha = float(levels.alpha[3])
    moment_1 = 1 + math.expm1(-2 * h) / (2 * h)
    assert float(theirs) / alpha - moment_1 == pytest.approx(-0.9878, abs=1e-4)
    assert float(ours["diffusers"]) == pytest.approx(float(theirs), abs=1e-9)
    assert float(ours["published"]) / alpha - moment_1 == pytest.approx(0.01220, abs=1e-5)
    assert float(ours["phi"]) / alpha - moment_1 == pytest.approx(2 * 0.01220, abs=2e-5)


@pytest.mark.parametrize("option", [{"solver": "euler"}, {"order": 4}, {"order": 0}, {"form": "heun"}])
def test_unknown_options_are_refused(stable_audio, option):
    state = State(torch.zeros(1, 2))
    with pytest.raises(InvalidOption, match=str(next(iter(option.values())))):
        advance(state, state.x, stable_audio(4), noise=QUIET, **option)
