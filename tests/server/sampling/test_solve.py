from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import CosineDPMSolverMultistepScheduler, DDIMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from server.errors import JobCancelled
from server.sampling.levels import Level, Levels, edm_from_vp, levels_from_alphas_cumprod, levels_from_edm_sigmas
from server.sampling.noise import GivenNoise, KeyedNoise
from server.sampling.solve import State, StepEvent, advance, solve

SHAPE = (8, 6, 4)
LDM = {"beta_start": 0.0015, "beta_end": 0.0195, "beta_schedule": "scaled_linear"}
NOISE = KeyedNoise(5, (0, 1))


def network(x: Tensor, time: Tensor) -> Tensor:
    """A network of no meaning: smooth, not linear, of about unit size, and different at every time."""
    return torch.tanh(1.3 * x + torch.sin(x.roll(1, -1)) + 0.2) * (1 + 0.1 * torch.cos(time.float()))


def predicts_noise(x: Tensor, level: Level) -> Tensor:
    alpha, sigma = level.factors(x)
    return (x - sigma * network(x, level.time)) / alpha


def predicts_velocity(x: Tensor, level: Level) -> Tensor:
    alpha, sigma = level.factors(x)
    return alpha * x - sigma * network(x, level.time)


def close(ours: Tensor, theirs: Tensor) -> None:
    """Equal to 1e-4 of the theirs' deviation: their coefficients are float32."""
    torch.testing.assert_close(ours / theirs.std(), theirs / theirs.std(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("eta, solver", [(0.0, "ode"), (1.0, "sde")])
@pytest.mark.parametrize("final", ["first", "one"])
def test_equals_diffusers_ddim(eta, solver, final):
    scheduler = DDIMScheduler(**LDM, clip_sample=False, set_alpha_to_one=final == "one", steps_offset=1)
    scheduler.set_timesteps(50)
    x = NOISE.initial(SHAPE)
    levels = levels_from_alphas_cumprod(scheduler.alphas_cumprod, 50, final=final)
    ours = solve(predicts_noise, State(x), levels, noise=NOISE, solver=solver, order=1).x
    for i, t in enumerate(scheduler.timesteps):
        z = NOISE(i, SHAPE) if eta else None
        x = scheduler.step(network(x, t), t, x, eta=eta, variance_noise=z).prev_sample
    close(ours, x)


# diffusers 0.42 passes a torch tensor to np.array in a way that numpy 2 is retiring.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("ending", ["zero", "sigma_min"])
@pytest.mark.parametrize(
    "algorithm, solver, order, their_form, form",
    [
        ("dpmsolver++", "ode", 1, "midpoint", "midpoint"),
        ("dpmsolver++", "ode", 2, "midpoint", "midpoint"),
        ("dpmsolver++", "ode", 2, "heun", "phi"),
        ("dpmsolver++", "ode", 3, "heun", "published"),
        ("sde-dpmsolver++", "sde", 1, "midpoint", "midpoint"),
        ("sde-dpmsolver++", "sde", 2, "midpoint", "midpoint"),
        ("sde-dpmsolver++", "sde", 2, "heun", "phi"),
    ],
)
def test_equals_diffusers_dpm_solver_multistep(ending, algorithm, solver, order, their_form, form):
    scheduler = DPMSolverMultistepScheduler(
        **LDM, algorithm_type=algorithm, solver_order=order, solver_type=their_form, final_sigmas_type=ending
    )
    scheduler.set_timesteps(20)
    levels = levels_from_edm_sigmas(scheduler.sigmas)
    levels = replace(levels, time=torch.cat([scheduler.timesteps.double(), torch.zeros(1, dtype=torch.float64)]))
    x = NOISE.initial(SHAPE)
    ours = solve(predicts_noise, State(x), levels, noise=NOISE, solver=solver, order=order, form=form).x
    for i, t in enumerate(scheduler.timesteps):
        z = NOISE(i, SHAPE) if solver == "sde" else None
        x = scheduler.step(network(x, t), t, x, variance_noise=z).prev_sample
    close(ours, x)


@pytest.mark.parametrize("n_steps", [3, 10, 100])
def test_equals_the_scheduler_of_stable_audio_open(n_steps):
    """Order 2, midpoint, sde, EDM state, the last step to sigma 0; its own Brownian noise recorded and injected."""
    scheduler = CosineDPMSolverMultistepScheduler(sigma_min=0.3, sigma_max=500, sigma_schedule="exponential")
    scheduler.set_timesteps(n_steps)
    levels = levels_from_edm_sigmas(scheduler.sigmas)
    start = NOISE.initial(SHAPE)
    x = start * scheduler.init_noise_sigma
    recorded, generator = {}, torch.Generator().manual_seed(3)

    def their_noise(sigma, sigma_next):
        # The scheduler's own tree can die of a RecursionError at sigma 500.00006, outside its bounds.
        recorded[len(recorded)] = torch.randn(x.shape, generator=generator)
        return recorded[len(recorded) - 1]

    scheduler.noise_sampler = their_noise
    for t in scheduler.timesteps:
        z = scheduler.scale_model_input(x, t)
        x = scheduler.step(network(z, t), t, x).prev_sample
    ours = solve(predicts_velocity, State(start), levels, noise=GivenNoise(recorded), solver="sde", order=2).x
    assert len(recorded) == n_steps
    close(ours, x)
    torch.testing.assert_close(edm_from_vp(ours, levels.at(n_steps)), ours)


def test_every_evaluation_is_announced_first(audioldm2, gaussian):
    levels, events = audioldm2(20), []

    def on_step(event: StepEvent) -> None:
        assert gaussian.calls == len(events)
        events.append(event)

    state = State(torch.randn(2, 3), 4)
    end = solve(gaussian, state, levels, until=9, noise=NOISE, on_step=on_step, phase="reference")
    assert end.index == 9 and gaussian.calls == 5
    assert [event.step for event in events] == [4, 5, 6, 7, 8]
    assert {(event.n_steps, event.phase) for event in events} == {(20, "reference")}
    assert [event.snr_db for event in events] == levels.snr_db[4:9].tolist()


def test_cancel_stops_at_that_step(audioldm2, gaussian):
    def on_step(event: StepEvent) -> None:
        if event.step == 7:
            raise JobCancelled("stop")

    with pytest.raises(JobCancelled):
        solve(gaussian, State(torch.randn(2, 3)), audioldm2(20), noise=NOISE, on_step=on_step)
    assert gaussian.calls == 7


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("solver", ["sde", "ode"])
def test_a_trajectory_in_two_parts_is_the_same(audioldm2, gaussian, solver, order):
    levels, x = audioldm2(20), NOISE.initial(SHAPE)
    whole = solve(gaussian, State(x), levels, noise=NOISE, solver=solver, order=order)
    middle = solve(gaussian, State(x), levels, until=11, noise=NOISE, solver=solver, order=order)
    rest = solve(gaussian, middle, levels, noise=NOISE, solver=solver, order=order)
    assert torch.equal(whole.x, rest.x) and rest.index == 20


def test_branches_of_one_batch_equal_the_items_alone(stable_audio, gaussian):
    levels, noise = stable_audio(20), KeyedNoise(5, (0, 1, 2))
    together = solve(gaussian, State(noise.initial(SHAPE)), levels, noise=noise, order=3).x
    for item in range(3):
        alone = noise.only([item])
        single = solve(gaussian, State(alone.initial(SHAPE)), levels, noise=alone, order=3).x
        torch.testing.assert_close(single[0], together[item], rtol=0, atol=1e-6)


def test_injection_replaces_x_in_the_linear_term_alone(audioldm2, gaussian):
    levels, x = audioldm2(20), NOISE.initial(SHAPE)
    state = solve(gaussian, State(x), levels, until=8, noise=NOISE, order=2)
    x0hat, inverted = gaussian(state.x, levels.at(8)), torch.randn(1, *SHAPE)
    options = {"noise": NOISE, "solver": "sde", "order": 2}
    plain, injected = (advance(state, x0hat, levels, linear=given, **options) for given in (None, inverted))
    share = float(levels.sigma[9] / levels.sigma[8] * torch.exp(levels.lam[8] - levels.lam[9]))
    torch.testing.assert_close(injected.x - plain.x, share * (inverted - state.x))
    assert injected.history is not None and torch.equal(injected.history[0][1], x0hat)
    assert [lam for lam, _ in injected.history] == levels.lam[[8, 7]].tolist()


def test_a_forgotten_history_starts_again_at_order_1(audioldm2, gaussian):
    levels = audioldm2(20)
    state = solve(gaussian, State(NOISE.initial(SHAPE)), levels, until=8, noise=NOISE, order=3)
    x0hat = gaussian(state.x, levels.at(8))
    fresh = advance(replace(state, history=()), x0hat, levels, noise=NOISE, order=3)
    assert torch.equal(fresh.x, advance(state, x0hat, levels, noise=NOISE, order=1).x)
    assert len(fresh.history) == 1


def test_solving_keeps_no_graph_and_stays_float32(audioldm2):
    weight = torch.ones(1, requires_grad=True)
    levels: Levels = audioldm2(5)
    end = solve(lambda x, level: weight * x, State(NOISE.initial(SHAPE)), levels, noise=NOISE)
    assert not end.x.requires_grad and end.x.dtype == torch.float32


def test_wrong_ends_and_wrong_batches_are_refused(audioldm2, gaussian):
    levels, x = audioldm2(5), NOISE.initial(SHAPE)
    with pytest.raises(ValueError, match="level 3 to 2 of 5"):
        solve(gaussian, State(x, 3), levels, until=2, noise=NOISE)
    with pytest.raises(ValueError, match="another batch"):
        solve(gaussian, State(x[:1]), levels, noise=NOISE)
