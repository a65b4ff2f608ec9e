from __future__ import annotations

import math

import pytest
import torch
from diffusers import CosineDPMSolverMultistepScheduler, DDIMScheduler

from server.errors import InvalidOption
from server.sampling.levels import (
    Levels,
    edm_from_vp,
    levels_even_in_snr,
    levels_from_alphas_cumprod,
    levels_from_edm_sigmas,
    log_linear_edm_sigmas,
    scaled_linear_alphas_cumprod,
    vp_from_edm,
)

POWER = scaled_linear_alphas_cumprod(0.0015, 0.0195)


def ddim(spacing: str, steps_offset: int = 1, set_alpha_to_one: bool = False) -> DDIMScheduler:
    return DDIMScheduler(
        beta_start=0.0015,
        beta_end=0.0195,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=set_alpha_to_one,
        steps_offset=steps_offset,
        timestep_spacing=spacing,
    )


@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
@pytest.mark.parametrize("n_steps", [1, 7, 50, 200, 333])
def test_training_steps_are_those_of_ddim(spacing, n_steps):
    scheduler = ddim(spacing)
    scheduler.set_timesteps(n_steps)
    levels = levels_from_alphas_cumprod(scheduler.alphas_cumprod, n_steps, spacing=spacing)
    assert levels.n_steps == n_steps
    assert levels.time[:-1].tolist() == scheduler.timesteps.tolist()
    power = scheduler.alphas_cumprod.double()[scheduler.timesteps]
    torch.testing.assert_close(levels.alpha[:-1] ** 2, power)


def test_audioldm2_in_200_steps_counts_996_991_to_1_and_ends_at_training_step_0(audioldm2):
    levels = audioldm2(200)
    assert levels.time.tolist() == [*range(996, 0, -5), 0]
    assert float(levels.alpha[-1] ** 2) == pytest.approx(float(POWER[0]), rel=1e-12)


def test_alphas_cumprod_are_those_of_diffusers():
    torch.testing.assert_close(POWER, ddim("leading").alphas_cumprod.double(), rtol=2e-4, atol=1e-6)


def test_final_one_ends_clean_at_a_level_that_is_no_input():
    levels = levels_from_alphas_cumprod(POWER, 50, final="one")
    assert float(levels.sigma[-1]) == 0.0 and float(levels.lam[-1]) == math.inf
    assert math.isnan(levels.time[-1])


def test_the_step_below_is_used_where_it_exists():
    levels = levels_from_alphas_cumprod(POWER, 999, final="one")
    assert levels.time.tolist() == list(range(999, -1, -1))


@pytest.mark.parametrize("n_steps", [0, -3, 1001, 1000])
def test_impossible_step_counts_are_refused(n_steps):
    with pytest.raises(InvalidOption, match=f"n_steps is {n_steps}"):
        levels_from_alphas_cumprod(POWER, n_steps)


@pytest.mark.parametrize("n_steps", [2, 50, 200])
def test_edm_sigmas_are_those_of_the_cosine_scheduler(n_steps):
    scheduler = CosineDPMSolverMultistepScheduler(sigma_min=0.3, sigma_max=500, sigma_schedule="exponential")
    scheduler.set_timesteps(n_steps)
    sigmas = log_linear_edm_sigmas(n_steps)
    torch.testing.assert_close(sigmas, scheduler.sigmas.double(), rtol=5e-6, atol=0)
    levels = levels_from_edm_sigmas(sigmas)
    torch.testing.assert_close(levels.time[:-1], scheduler.timesteps.double(), rtol=0, atol=1e-6)


def test_edm_levels_are_variance_preserving_with_the_same_lambda(stable_audio):
    levels = stable_audio(200)
    torch.testing.assert_close(levels.alpha**2 + levels.sigma**2, torch.ones(201, dtype=torch.float64))
    torch.testing.assert_close(levels.lam[:-1], -torch.log(log_linear_edm_sigmas(200)[:-1]))
    torch.testing.assert_close(levels.alpha, torch.cos(levels.time * math.pi / 2))
    torch.testing.assert_close(levels.at(range(200)).edm_sigma, log_linear_edm_sigmas(200)[:-1])


def test_one_step_starts_at_the_noisiest_level():
    assert log_linear_edm_sigmas(1).tolist() == pytest.approx([500.0, 0.0])
    with pytest.raises(InvalidOption, match="n_steps is 0"):
        log_linear_edm_sigmas(0)


def test_states_convert_both_ways(stable_audio):
    levels = stable_audio(20)
    level = levels.at([0, 7, 20])
    x0, e = torch.randn(3, 2, 5), torch.randn(3, 2, 5)
    x_edm = x0 + level.edm_sigma.float().reshape(3, 1, 1) * e
    alpha, sigma = level.factors(x0)
    torch.testing.assert_close(vp_from_edm(x_edm, level), alpha * x0 + sigma * e)
    torch.testing.assert_close(edm_from_vp(vp_from_edm(x_edm, level), level), x_edm)


def test_snr_of_step_100_of_200_is_not_portable(audioldm2, stable_audio):
    assert float(audioldm2(200).snr_db[100]) == pytest.approx(-8.7, abs=0.05)
    assert float(stable_audio(200).snr_db[100]) == pytest.approx(-21.6, abs=0.05)


@pytest.mark.parametrize("model", ["audioldm2", "stable_audio"])
def test_every_evaluated_level_is_found_by_its_snr(model, request):
    levels = request.getfixturevalue(model)(200)
    snr_db = levels.snr_db.tolist()
    assert [levels.index_at_snr_db(snr) for snr in snr_db[:-1]] == list(range(200))
    halfway = snr_db[100] + 0.4 * (snr_db[101] - snr_db[100])
    assert levels.index_at_snr_db(halfway) == 100
    assert levels.index_at_snr_db(-1e9) == 0 and levels.index_at_snr_db(1e9) == 199


def test_snr_is_20_log10_of_the_factors(audioldm2):
    levels = audioldm2(50)
    torch.testing.assert_close(levels.snr_db, 20 * torch.log10(levels.alpha / levels.sigma))


def test_a_level_is_shared_or_one_per_item(audioldm2):
    levels = audioldm2(50)
    shared, each = levels.at(3), levels.at([3, 4])
    assert shared.alpha.shape == () and each.alpha.shape == (2,)
    assert shared.times(3).tolist() == [float(levels.time[3])] * 3
    assert each.times(2).tolist() == levels.time[3:5].tolist()
    assert shared.rows([0, 0]) is shared
    assert each.rows([1, 0, 1]).time.tolist() == levels.time[[4, 3, 4]].tolist()
    alpha, sigma = each.factors(torch.zeros(2, 8, 5, 16))
    assert alpha.shape == (2, 1, 1, 1) and alpha.dtype == sigma.dtype == torch.float32
    assert shared.factors(torch.zeros(2, 8))[0].shape == (1, 1)


def test_levels_run_from_noisy_to_clean():
    up = torch.tensor([0.1, 0.5], dtype=torch.float64)
    with pytest.raises(AssertionError, match="noisiest"):
        Levels(torch.sqrt(1 - up**2), up, up)


def test_even_levels_are_even_in_snr_and_end_clean():
    levels = levels_even_in_snr(POWER, 50)
    steps = levels.snr_db[:-1].diff()
    assert levels.n_steps == 50 and torch.allclose(steps, steps[:1].expand_as(steps))
    assert float(levels.sigma[-1]) == 0.0 and float(levels.alpha[-1]) == 1.0 and math.isnan(float(levels.time[-1]))
    assert torch.allclose(levels.alpha**2 + levels.sigma**2, torch.ones_like(levels.alpha))


def test_times_of_even_levels_lie_where_the_table_has_their_snr():
    levels = levels_even_in_snr(POWER, 33)
    table = 0.5 * torch.log(POWER / (1 - POWER))
    time = levels.time[:-1]
    below, above = table[time.ceil().long()], table[time.floor().long()]
    assert bool((below - 1e-12 <= levels.lam[:-1]).all()) and bool((levels.lam[:-1] <= above + 1e-12).all())
    assert float(levels.snr_db[0]) == pytest.approx(-24.0) and float(time[-1]) == 0.0
    assert float(levels_even_in_snr(POWER, 33, lowest_snr_db=-99.0).time[0]) == 999.0


def test_even_levels_need_two_steps():
    with pytest.raises(InvalidOption, match="n_steps is 1; it must be 2 or more"):
        levels_even_in_snr(POWER, 1)
