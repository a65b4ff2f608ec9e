from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from server.errors import InvalidOption, JobCancelled
from server.sampling.guide import guided
from server.sampling.invert import constant_inversion, edit_friendly, noise_scale
from server.sampling.levels import levels_from_edm_sigmas, log_linear_edm_sigmas
from server.sampling.noise import KeyedNoise
from server.sampling.solve import State, StepEvent, solve
from server.sampling.step import coefficients

MODES = ("clean", "shared_noise", "literal", "forward", "noisy", "noisy_single")
NOISE = KeyedNoise(9, (0, 1))
SHAPE = (3, 5)
X0 = KeyedNoise(1, (0, 1)).initial(SHAPE).double()


def eq_3(x, alpha, sigma, t, s, x0):
    """The paper's eq. 3: from the cleaner level s to the noisier t, the sde step with x0 for the model's output, undone."""
    h = math.log(alpha[s] / sigma[s]) - math.log(alpha[t] / sigma[t])
    return sigma[t] / sigma[s] * math.exp(h) * (x - alpha[s] * (1 - math.exp(-2 * h)) * x0)


def eq_5(x, alpha, sigma, t, s, x0):
    """The paper's eq. 5: the same for the ode."""
    return sigma[t] / sigma[s] * (x - sigma[s] * (alpha[s] / sigma[s] - alpha[t] / sigma[t]) * x0)


def iterate(equation, start: Tensor, alpha, sigma, first: int, x0=X0) -> dict[int, Tensor]:
    states = {first: start}
    for t in range(first - 1, -1, -1):
        states[t] = equation(states[t + 1], alpha, sigma, t, t + 1, x0)
    return states


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


@pytest.mark.parametrize("model, first", [("stable_audio", 199), ("audioldm2", 200)])
class TestVariancePreserving:
    """alpha^2 + sigma^2 = 1, as the paper's section 3.1 declares."""

    def test_eq_3_from_x0_is_literal(self, model, first, request):
        levels = request.getfixturevalue(model)(200)
        states = iterate(eq_3, X0, levels.alpha.tolist(), levels.sigma.tolist(), first)
        for t, x in states.items():
            assert relative(constant_inversion(X0, levels, t, "literal", NOISE), x) < 1e-11

    def test_eq_5_from_a_noised_start_is_shared_noise(self, model, first, request):
        levels = request.getfixturevalue(model)(200)
        start = constant_inversion(X0, levels, first, "shared_noise", NOISE)
        states = iterate(eq_5, start, levels.alpha.tolist(), levels.sigma.tolist(), first)
        for t, x in states.items():
            assert relative(constant_inversion(X0, levels, t, "shared_noise", NOISE), x) < 1e-11

    def test_both_equations_from_alpha_x0_are_clean(self, model, first, request):
        levels = request.getfixturevalue(model)(200)
        alpha, sigma = levels.alpha.tolist(), levels.sigma.tolist()
        states = iterate(eq_5, alpha[first] * X0, alpha, sigma, first)
        for t, x in states.items():
            assert relative(constant_inversion(X0, levels, t, "clean", NOISE), x) < 1e-11
        for t in range(first):  # eq. 3 one step at a time: recursed, it magnifies the rounding of its start by k_t
            x = eq_3(alpha[t + 1] * X0, alpha, sigma, t, t + 1, X0)
            assert relative(constant_inversion(X0, levels, t, "clean", NOISE), x) < 1e-11

    def test_c_recursed_has_the_variance_of_noisy(self, model, first, request):
        """Each random term on a row of its own, x0 = 0: the sum of squares is the variance."""
        levels = request.getfixturevalue(model)(200)
        alpha, sigma, lam = levels.alpha.tolist(), levels.sigma.tolist(), levels.lam.tolist()
        x = torch.zeros(first, dtype=torch.float64)
        for t in range(first - 1, -1, -1):
            x = eq_3(x, alpha, sigma, t, t + 1, 0.0)
            x[t] -= sigma[t] * math.sqrt(math.expm1(2 * (lam[t + 1] - lam[t])))
            assert float(torch.sqrt((x**2).sum())) == pytest.approx(sigma[t] * noise_scale(levels, t, "noisy"), rel=1e-10)
            assert abs(float(x[t])) == pytest.approx(sigma[t] * noise_scale(levels, t, "noisy_single"), rel=1e-10)

    def test_sampling_with_constant_output_undoes_the_inversion(self, model, first, request):
        levels = request.getfixturevalue(model)(200)
        for mode in ("clean", "shared_noise"):
            start = State(constant_inversion(X0, levels, 60, mode, NOISE), 60)
            end = solve(lambda x, level: X0, start, levels, until=first, noise=NOISE, solver="ode", order=3)
            assert relative(end.x, constant_inversion(X0, levels, first, mode, NOISE)) < 1e-11

    def test_the_recursions_start_at_the_cleanest_level_with_noise(self, model, first, request):
        levels = request.getfixturevalue(model)(200)
        assert noise_scale(levels, first, "literal") == 1.0
        assert noise_scale(levels, first, "noisy") == noise_scale(levels, first, "noisy_single") == 0.0
        assert torch.allclose(constant_inversion(X0, levels, first, "literal", NOISE), X0, rtol=1e-14)
        assert noise_scale(levels, first - 1, "noisy") == pytest.approx(noise_scale(levels, first - 1, "noisy_single"))


class TestStableAudioConvention:
    """alpha = 1, the convention of the authors' code: states there are ours divided by our alpha."""

    def test_a_clean_start_stays_x0_at_every_level(self, stable_audio):
        levels, sigma = stable_audio(200), log_linear_edm_sigmas(200)[:-1].tolist()
        states = iterate(eq_5, X0, [1.0] * 200, sigma, 199)
        for t in range(199):
            states[t, "sde"] = eq_3(X0, [1.0] * 200, sigma, t, t + 1, X0)
        for key, x in states.items():
            t = key if isinstance(key, int) else key[0]
            assert relative(x, X0) < 1e-12
            assert relative(constant_inversion(X0, levels, t, "clean", NOISE) / float(levels.alpha[t]), X0) < 1e-12

    def test_eq_5_shares_one_noise_and_eq_3_lets_it_grow_by_sigma(self, stable_audio):
        levels, sigma = stable_audio(200), log_linear_edm_sigmas(200)[:-1].tolist()
        start = constant_inversion(X0, levels, 199, "shared_noise", NOISE) / float(levels.alpha[199])
        e = (start - X0) / sigma[199]
        for t, x in iterate(eq_5, start, [1.0] * 200, sigma, 199).items():
            ours = constant_inversion(X0, levels, t, "shared_noise", NOISE) / float(levels.alpha[t])
            assert relative(x, ours) < 1e-11 and relative(x, X0 + sigma[t] * e) < 1e-11
        for t, x in iterate(eq_3, start, [1.0] * 200, sigma, 199).items():
            growth = noise_scale(levels, t, "literal")
            assert growth == pytest.approx(sigma[t] / sigma[199], rel=1e-12)
            assert relative(x, X0 + sigma[t] * growth * e) < 1e-11
        assert noise_scale(levels, 0, "literal") == pytest.approx(500 / 0.3, rel=1e-9)


def test_literal_ends_at_245_times_x0():
    """The figure of the reference table: 200 levels from 0.3 to 500 in the variance-preserving convention."""
    levels = levels_from_edm_sigmas(log_linear_edm_sigmas(200))
    ratio = constant_inversion(X0, levels, 0, "literal", NOISE) / X0
    torch.testing.assert_close(ratio, torch.full_like(ratio, 245.0), rtol=0.005, atol=0)


@pytest.mark.parametrize("mode", MODES)
def test_sigma_0_is_x0_in_every_mode(stable_audio, mode):
    assert torch.equal(constant_inversion(X0, stable_audio(50), 50, mode, NOISE), X0)


def test_which_noise_is_shared_and_which_is_fresh(stable_audio):
    levels = stable_audio(50)

    def e(index: int, mode: str, noise: KeyedNoise = NOISE) -> Tensor:
        x = constant_inversion(X0, levels, index, mode, noise)
        return (x - levels.alpha[index] * X0) / (levels.sigma[index] * noise_scale(levels, index, mode))

    torch.testing.assert_close(e(10, "shared_noise"), e(30, "shared_noise"))
    for mode in ("forward", "noisy", "noisy_single"):
        assert float((e(10, mode) - e(30, mode)).abs().max()) > 0.1
        torch.testing.assert_close(e(10, mode), e(10, "forward"))
    torch.testing.assert_close(e(10, "forward")[1], e(10, "forward", NOISE.only([1, 1]))[0])


def test_states_stay_float32_and_unknown_modes_are_refused(stable_audio):
    levels = stable_audio(50)
    for mode in MODES:
        assert constant_inversion(X0.float(), levels, 10, mode, NOISE).dtype == torch.float32
    with pytest.raises(InvalidOption, match="inversion is 'paper'; it can be clean, shared_noise, literal"):
        constant_inversion(X0, levels, 10, "paper", NOISE)


@pytest.mark.parametrize("model", ["audioldm2", "stable_audio"])
@pytest.mark.parametrize("start", [0, 100, 199])
@pytest.mark.parametrize("solver", ["sde", "ode"])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_same_prompt_gives_the_latents_back(model, start, solver, order, gaussian, request):
    levels, x0 = request.getfixturevalue(model)(200), X0.float()
    inverted = edit_friendly(x0, gaussian, levels, range(start, 200), NOISE, batch=32)
    assert gaussian.calls == math.ceil((200 - start) / 32) and gaussian.rows == 2 * (200 - start)
    noise = inverted.noise(solver=solver, order=order)
    back = solve(gaussian, inverted.state(start), levels, noise=noise, solver=solver, order=order)
    torch.testing.assert_close(back.x, x0, rtol=0, atol=2e-6)


@pytest.mark.parametrize("order", [1, 2])
def test_the_replay_may_begin_at_any_level_with_its_past_or_without(stable_audio, gaussian, order):
    levels = stable_audio(40)
    inverted = edit_friendly(X0, gaussian, levels, range(10, 40), NOISE)
    for trajectory in (inverted, inverted.since(25)):
        back = solve(gaussian, trajectory.state(25), levels, noise=trajectory.noise(order=order), order=order)
        torch.testing.assert_close(back.x, X0, rtol=0, atol=1e-9)


def test_a_trajectory_grows_at_its_noisy_end_as_if_inverted_at_once(stable_audio, gaussian):
    levels = stable_audio(40)
    at_once = edit_friendly(X0, gaussian, levels, range(10, 40), NOISE)
    grown = at_once.since(25).after(edit_friendly(X0, gaussian, levels, range(10, 25), NOISE))
    assert (grown.start, grown.stop) == (10, 40)
    assert torch.equal(grown.x, at_once.x) and torch.allclose(grown.x0hat, at_once.x0hat)
    assert grown.n_bytes == 8 * 2 * 3 * 5 * (31 + 30)
    with pytest.raises(ValueError, match="to level 40 does not lead to level 25"):
        at_once.since(25).after(at_once)


@pytest.mark.parametrize("model", ["audioldm2", "stable_audio"])
def test_without_the_last_term_the_last_step_returns_its_mean(model, gaussian, request):
    levels, x0 = request.getfixturevalue(model)(50), X0.float()
    inverted = edit_friendly(x0, gaussian, levels, range(20, 50), NOISE)
    back = solve(gaussian, inverted.state(20), levels, noise=inverted.noise(keep_last=False), solver="sde", order=1).x
    if model == "stable_audio":
        kept = inverted.noise()
        assert 49 not in kept.z and list(kept.residual) == [49]
        torch.testing.assert_close(kept.residual[49], x0 - inverted.estimate(49))
        torch.testing.assert_close(back, inverted.estimate(49), rtol=0, atol=2e-6)
    else:
        assert not inverted.noise().residual
        last_term = inverted.noise().term(49, SHAPE, coefficients(levels, 49, "sde").S)
        torch.testing.assert_close(back, x0 - last_term, rtol=0, atol=2e-6)


def test_z_is_what_the_step_needs(audioldm2, gaussian):
    """z = (x_s - A x_t - B x0hat)/S, written with the DDPM posterior of the cumulative products."""
    levels = audioldm2(200)
    inverted = edit_friendly(X0, gaussian, levels, range(150, 160), NOISE)
    for i in range(150, 160):
        a_t, a_s = float(levels.alpha[i] ** 2), float(levels.alpha[i + 1] ** 2)
        x_t, x_s, x0hat = inverted.state(i).x, inverted.state(i + 1).x, inverted.estimate(i)
        variance = (1 - a_s) / (1 - a_t) * (1 - a_t / a_s)
        e = (x_t - math.sqrt(a_t) * x0hat) / math.sqrt(1 - a_t)
        mean = math.sqrt(a_s) * x0hat + math.sqrt(1 - a_s - variance) * e
        z = (x_s - mean) / math.sqrt(variance)
        torch.testing.assert_close(inverted.noise().term(i, SHAPE, 1.0), z, rtol=1e-7, atol=1e-7)


def test_levels_in_a_batch_equal_levels_one_by_one(stable_audio, gaussian):
    levels = stable_audio(40)
    apart, together = (edit_friendly(X0.float(), gaussian, levels, range(5, 40), NOISE, batch=b) for b in (1, 35))
    assert torch.equal(apart.x, together.x)
    for order in (1, 2):
        ones, all_at_once = (trajectory.noise(order=order).z for trajectory in (apart, together))
        for i, z in ones.items():
            torch.testing.assert_close(z, all_at_once[i], rtol=1e-4, atol=1e-4)


def test_the_trajectory_does_not_depend_on_which_steps_are_inverted(audioldm2, gaussian):
    levels = audioldm2(40)
    late = edit_friendly(X0, gaussian, levels, range(20, 30), NOISE)
    all_of_it = edit_friendly(X0, gaussian, levels, range(40), NOISE)
    torch.testing.assert_close(late.state(25).x, all_of_it.state(25).x)
    torch.testing.assert_close(late.noise().z[23], all_of_it.noise().z[23])
    assert late.state(30).index == 30 and len(late.state(20).history) == 0
    with pytest.raises(ValueError, match="level 31 is not among the inverted ones, 20 to 30"):
        late.state(31)
    with pytest.raises(ValueError, match="level 30 is not among"):
        late.estimate(30)


def test_a_trajectory_remembers_as_a_solver_does(audioldm2, gaussian):
    levels = audioldm2(40)
    inverted = edit_friendly(X0, gaussian, levels, range(10, 40), NOISE)
    remembered = inverted.state(15).history
    assert [lam for lam, _ in remembered] == levels.lam[[14, 13]].tolist()
    assert torch.equal(remembered[1][1], inverted.estimate(13))
    solved = solve(gaussian, inverted.state(10), levels, until=15, noise=inverted.noise(), solver="sde", order=1)
    torch.testing.assert_close(solved.history[0][1], remembered[0][1])


def test_many_prompts_branch_from_one_inversion(audioldm2, gaussian):
    levels = audioldm2(40)
    inverted = edit_friendly(X0[:1], gaussian, levels, range(20, 40), NOISE.only([0]))
    state = State(inverted.state(20).x.expand(3, *SHAPE), 20)
    back = solve(gaussian, state, levels, noise=inverted.noise(), solver="sde", order=1)
    torch.testing.assert_close(back.x, X0[:1].expand(3, *SHAPE))


def test_inversion_under_guidance(audioldm2):
    class Prompted:
        def denoise(self, x, level, conditionings):
            return 0.5 * x + x.new_tensor(conditionings).reshape(-1, 1, 1)

    levels, denoise = audioldm2(20), guided(Prompted(), [0.3, -0.2], [0.0, 0.1], 3.0)
    inverted = edit_friendly(X0, denoise, levels, range(8, 20), NOISE, batch=5)
    back = solve(denoise, inverted.state(8), levels, noise=inverted.noise(), solver="sde", order=1)
    torch.testing.assert_close(back.x, X0)


def test_inversion_announces_its_batches_and_can_be_cancelled(audioldm2, gaussian):
    levels, events = audioldm2(20), []

    def on_step(event: StepEvent) -> None:
        assert gaussian.calls == len(events)
        events.append(event)
        if event.step == 14:
            raise JobCancelled("stop")

    with pytest.raises(JobCancelled):
        edit_friendly(X0, gaussian, levels, range(6, 20), NOISE, batch=4, on_step=on_step)
    assert [event.step for event in events] == [6, 10, 14] and gaussian.calls == 2
    assert (events[0].phase, events[0].n_steps, events[0].snr_db) == ("invert", 20, float(levels.snr_db[6]))


@pytest.mark.parametrize("steps", [range(0), range(5, 21), range(0, 10, 2), range(9, 3, -1)])
def test_steps_that_are_no_stretch_of_the_schedule_are_refused(audioldm2, gaussian, steps):
    with pytest.raises(ValueError, match="not consecutive"):
        edit_friendly(X0, gaussian, audioldm2(20), steps, NOISE)
    with pytest.raises(ValueError, match="batch is 0"):
        edit_friendly(X0, gaussian, audioldm2(20), range(3), NOISE, batch=0)
