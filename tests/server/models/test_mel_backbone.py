# SPDX-License-Identifier: GPL-3.0-or-later
"""What the mel models share beside what every backbone promises: facts, silence at the end, schedules, a stereo image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from server.models.loading import load
from server.models.mel import log_mel

LAYOUTS = ["audioldm", "audioldm2", "musicldm", "tango"]


@pytest.fixture(params=LAYOUTS)
def backbone(request, tiny_backbone):
    return tiny_backbone(request.param)


def test_facts(backbone):
    facts = backbone.facts
    assert (facts.sample_rate, facts.channels, facts.latent_hz, facts.max_s) == (16000, 1, 25.0, 10.24)


def test_a_full_length_decode_has_room_for_the_delay(backbone, normal):
    assert backbone.decode(normal(1, 8, 3, 16), 3 * 640).shape == (1, 1, 1920)


def test_encoding_is_the_posterior_mode_of_the_padded_clip(backbone, normal):
    audio = 0.1 * normal(1, 1, 1000)
    padded = torch.cat([audio[:, 0], torch.zeros(1, 280)], 1)
    posterior = backbone.parts.vae.encode(log_mel(padded, backbone.mel)[:, None]).latent_dist
    expected = posterior.mean * backbone.parts.vae.config.scaling_factor
    torch.testing.assert_close(backbone.encode(audio), expected, rtol=0, atol=1e-6)
    assert torch.equal(backbone.encode(audio), backbone.encode(audio))


def test_levels_equal_the_schedulers_table(backbone, tiny_folder):
    scheduler = DDIMScheduler.from_pretrained(tiny_folder(backbone.facts.layout) / "scheduler")
    scheduler.set_timesteps(200)
    levels = backbone.levels(200)
    assert levels.time[:-1].tolist() == scheduler.timesteps.tolist()
    power = scheduler.alphas_cumprod[scheduler.timesteps].double()
    np.testing.assert_allclose(levels.alpha[:-1] ** 2, power, rtol=1e-6)
    np.testing.assert_allclose(levels.alpha[-1] ** 2, scheduler.final_alpha_cumprod.double(), rtol=1e-6)


def power_ratio(backbone) -> float:
    """Signal over noise power of the noisiest training step: Tango's does not reach -24 dB."""
    power = float(backbone.parts.scheduler.alphas_cumprod[-1])
    return power / (1 - power)


def test_even_levels_start_in_noise_and_end_clean(backbone):
    even = backbone.levels(20, "even")
    loudest = max(-24.0, 10 * np.log10(power_ratio(backbone)))
    assert even.n_steps == 20 and even.sigma[-1] == 0
    np.testing.assert_allclose(np.diff(even.snr_db[:-1]), even.snr_db[1] - even.snr_db[0], rtol=1e-9)
    assert float(even.snr_db[0]) == pytest.approx(loudest) and even.time[-2] == 0


def test_times_between_training_steps_are_answered(backbone, normal):
    levels = backbone.levels(10)
    between = levels.at(4)
    half = type(between)(between.alpha, between.sigma, between.time + 0.5)
    x, prompt = normal(1, 8, 5, 16), [backbone.condition("wind", 1.0)]
    change = (backbone.denoise(x, half, prompt) - backbone.denoise(x, between, prompt)).abs().max()
    assert 0 < change < 0.1


def test_a_stereo_image_comes_from_the_noise_alone(tiny_folder, normal):
    model = load(str(tiny_folder("audioldm")), device="cpu")
    latents, n_samples = normal(2, *model.latent_shape(16000)), 16000
    with torch.no_grad():
        assert model.decode_stereo(latents, n_samples).shape == (2, 1, n_samples)  # no noise under this vocoder: mono
        model.mel_noise, model.mel_passes = 1.0, 2
        left, right = model.decode_stereo(latents, n_samples).unbind(1)
        assert left.shape == (2, n_samples)
        torch.testing.assert_close(left, model.decode(latents, n_samples)[:, 0])
        assert torch.corrcoef(torch.stack([left[0], right[0]]))[0, 1] < 0.9
        heard = [log_mel(side, model.mel) for side in (left, right)]
    assert (heard[0] - heard[1]).abs().mean() < 0.25  # nat: one mel, both sides
