from __future__ import annotations

import pytest
import torch

from server.errors import InvalidOption, JobCancelled
from server.sampling.ddim_invert import ddim_invert
from server.sampling.noise import GivenNoise
from server.sampling.solve import solve

MODELS = ("audioldm2", "stable_audio")
NO_NOISE = GivenNoise({})


def states(deviations=(-1.5, 0.2, 2.0), mean=0.7, deviation=0.4) -> torch.Tensor:
    return (mean + deviation * torch.tensor(deviations, dtype=torch.float64)).reshape(-1, 1)


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("label", ["next", "literal"])
def test_every_step_has_the_closed_form_of_a_gaussian(model, label, gaussian, request):
    """eps of a state at a level is affine for a normal distribution, and so is eq. 2: its gains in float64."""
    levels = request.getfixturevalue(model)(25)
    x = expected = states()
    alpha, sigma, mean, variance = levels.alpha.tolist(), levels.sigma.tolist(), gaussian.mean, gaussian.deviation**2
    for t in range(24, -1, -1):
        s = t + 1
        at = s if label == "literal" and sigma[s] > 0 else t
        eps = sigma[at] * (expected - alpha[at] * mean) / (alpha[at] ** 2 * variance + sigma[at] ** 2)
        expected = alpha[t] / alpha[s] * expected + (sigma[t] - alpha[t] * sigma[s] / alpha[s]) * eps
    found = ddim_invert(x, gaussian, levels, label=label)
    assert found.index == 0 and gaussian.calls == 25
    assert relative(found.x, expected) < 1e-12


@pytest.mark.parametrize("label", ["next", "literal"])
def test_it_converges_to_the_probability_flow_in_the_first_order(label, gaussian, audioldm2):
    """A state that is u deviations from the mean stays so along the exact flow."""
    deviations, errors = (-1.5, 0.2, 2.0), []
    for n_steps in (100, 200, 500):
        levels = audioldm2(n_steps)
        start, exact = (torch.cat([gaussian.flow(u, levels.at(i)) for u in deviations])[:, None] for i in (n_steps, 0))
        errors.append(float((ddim_invert(start, gaussian, levels, label=label).x - exact).abs().max()))
    assert errors[0] / errors[1] > 1.7 and errors[1] / errors[2] > 2.2
    assert errors[2] < 0.02


@pytest.mark.parametrize("label", ["next", "literal"])
def test_the_round_trip_comes_back_and_its_error_halves_with_twice_the_steps(label, gaussian, audioldm2):
    errors = []
    for n_steps in (50, 100, 200):
        levels = audioldm2(n_steps)
        up = ddim_invert(states(), gaussian, levels, label=label)
        down = solve(gaussian, up, levels, noise=NO_NOISE, solver="ode", order=1)
        errors.append(relative(down.x, states()))
    assert errors[0] / errors[1] > 1.7 and errors[1] / errors[2] > 1.7
    assert errors[2] < 0.03


def test_a_long_step_to_sigma_0_leaves_an_error_that_more_steps_do_not_mend(gaussian, stable_audio):
    errors = []
    for n_steps in (50, 200, 500):
        levels = stable_audio(n_steps)
        down = solve(gaussian, ddim_invert(states(), gaussian, levels), levels, noise=NO_NOISE, solver="ode", order=1)
        errors.append(float((down.x - states()).abs().max()))
    assert 0.16 > errors[0] > errors[1] > errors[2] > 0.08


def test_the_two_labels_differ_but_for_the_step_away_from_sigma_0(gaussian, stable_audio):
    levels = stable_audio(10)
    literal, following = (ddim_invert(states(), gaussian, levels, until=9, label=name).x for name in ("literal", "next"))
    assert torch.equal(literal, following)
    literal, following = (ddim_invert(states(), gaussian, levels, until=8, label=name).x for name in ("literal", "next"))
    assert not torch.allclose(literal, following)


def test_it_goes_up_to_the_level_asked_for_and_can_be_stopped(gaussian, audioldm2):
    levels, seen = audioldm2(20), []
    found = ddim_invert(states(), gaussian, levels, until=12, on_step=lambda event: seen.append(event.step))
    assert (found.index, seen, gaussian.calls) == (12, list(range(19, 11, -1)), 8)

    def stop(event):
        raise JobCancelled("cancelled")

    with pytest.raises(JobCancelled):
        ddim_invert(states(), gaussian, levels, on_step=stop)


def test_what_does_not_exist_is_refused(gaussian, audioldm2):
    with pytest.raises(InvalidOption, match="next or literal"):
        ddim_invert(states(), gaussian, audioldm2(5), label="previous")
    with pytest.raises(ValueError, match="level 6"):
        ddim_invert(states(), gaussian, audioldm2(5), until=6)
