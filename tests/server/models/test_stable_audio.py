# SPDX-License-Identifier: GPL-3.0-or-later
"""Stable Audio Open against its own pipeline and scheduler, and the traps of its conditioning and precision."""

from __future__ import annotations

import json
import math
import shutil

import numpy as np
import pytest
import torch
from diffusers import StableAudioPipeline
from diffusers.models.embeddings import get_1d_rotary_pos_embed

from server.errors import InvalidOption, ModelUnavailable
from server.models.components import building
from server.models.loading import load
from server.models.stable_audio import reach_frames

PROMPT = "glass bells, slow"
# The pipeline's noise source grumbles about the rounding of its own first and last level.
BROWNIAN_ENDS = pytest.mark.filterwarnings("ignore:Should have t[ab]:UserWarning")


@pytest.fixture(scope="module")
def backbone(tiny_backbone):
    return tiny_backbone("stable_audio")


@pytest.fixture(scope="module")
def pipeline(tiny_folder):
    with building():
        pipe = StableAudioPipeline.from_pretrained(tiny_folder("stable_audio"), dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def test_facts_come_from_the_configs(backbone):
    facts = backbone.facts
    assert (facts.layout, facts.sample_rate, facts.channels) == ("stable_audio", 44100, 2)
    assert facts.latent_hz == 44100 / 2048
    assert facts.max_s == 128 * 2048 / 44100  # 47.55 s for the official 1024 frames


def test_levels_equal_the_schedulers_table(backbone, pipeline):
    pipeline.scheduler.set_timesteps(50)
    levels = backbone.levels(50)
    np.testing.assert_allclose(
        (levels.sigma / levels.alpha)[:-1], pipeline.scheduler.sigmas[:-1].double(), rtol=2e-6
    )
    np.testing.assert_allclose(levels.time[:-1], pipeline.scheduler.timesteps.double(), rtol=2e-6)
    assert levels.sigma[-1] == 0
    assert torch.equal(levels.alpha, backbone.levels(50, "even").alpha)


def test_prompts_are_cached_and_never_cut(backbone):
    assert backbone.condition(PROMPT, 2.0) is backbone.condition(PROMPT, 2.0)
    with pytest.raises(InvalidOption, match=r"reads at most 128\. Shorten"):
        backbone.condition("a" * 10_000, 2.0)


@pytest.mark.parametrize("n_samples", [1, 2047, 2048, 44117])
def test_odd_lengths_come_back_exactly(backbone, normal, n_samples):
    audio = 0.1 * normal(1, 2, n_samples)
    latents = backbone.encode(audio)
    assert latents.shape[1:] == backbone.latent_shape(n_samples) == (4, 128)
    assert backbone.decode(latents, n_samples).shape == audio.shape


@pytest.mark.parametrize("n_samples", [1, 44117, 128 * 2048 - 9])
def test_encoding_a_part_of_the_silence_is_encoding_it_all(backbone, normal, n_samples):
    audio = 0.1 * normal(2, 2, n_samples)
    n_padded = backbone.latent_shape(n_samples)[1] * 2048
    with torch.no_grad():
        whole = backbone.vae.encode(torch.nn.functional.pad(audio, (0, n_padded - n_samples))).latent_dist.mode()
        torch.testing.assert_close(backbone.encode(audio), whole, atol=1e-5, rtol=1e-5)


def test_decoding_only_what_is_heard_changes_nothing(backbone, normal):
    latents, n_samples = normal(1, 4, 128), 44117
    whole = backbone.vae.decode(latents).sample[..., :n_samples]
    torch.testing.assert_close(backbone.decode(latents, n_samples), whole, rtol=0, atol=1e-6)


def test_reach_covers_the_decoders_kernels_and_little_more(backbone, normal):
    ratios = backbone.vae.config.downsampling_ratios
    latents = normal(1, 4, 64).requires_grad_()
    backbone.vae.decode(latents).sample[..., : 20 * 2048].sum().backward()
    heard = int(latents.grad.abs().sum((0, 1)).nonzero().max()) + 1 - 20
    assert heard <= reach_frames(ratios) <= heard + 2


def test_a_cropped_window_has_the_clips_frames_alone(tiny_backbone, normal):
    cropped = tiny_backbone("stable_audio", window="cropped")
    assert cropped.latent_shape(44117) == (4, 22)
    latents = cropped.encode(0.1 * normal(1, 2, 44117))
    x0hat = cropped.denoise(latents, cropped.levels(10).at(3), [cropped.condition(PROMPT, 1.0)])
    assert x0hat.shape == latents.shape
    assert cropped.decode(x0hat, 44117).shape == (1, 2, 44117)


def test_rotary_embedding_equals_the_librarys(backbone):
    for ours, theirs in zip(backbone._rotary(129), get_1d_rotary_pos_embed(8, 129, use_real=True,
                                                                           repeat_interleave_real=False), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    assert backbone._rotary(129)[0] is backbone._rotary(129)[0]


def test_half_precision_keeps_the_time_precise(backbone, tiny_backbone, normal):
    half = tiny_backbone("stable_audio", dtype="bfloat16")
    assert half.network.proj_in.weight.dtype == torch.bfloat16
    assert next(half.vae.parameters()).dtype == torch.float32
    times = torch.tensor([0.9987, 0.2])
    exact, ours = (b.network.timestep_proj(b.network.time_proj(times)).float() for b in (backbone, half))
    torch.testing.assert_close(ours, exact, rtol=0.01, atol=0.0)
    seen = []
    handle = half.network.time_proj.register_forward_hook(lambda module, args, output: seen.append(args[0]))
    x, level = normal(1, 4, 128), backbone.levels(100).at(1)
    answers = [b.denoise(x, level, [b.condition(PROMPT, 1.0)]) for b in (half, backbone)]
    handle.remove()
    assert seen[0].dtype == torch.float32 and seen[0].item() == pytest.approx(2 / math.pi * math.atan(464.0), abs=1e-4)
    assert answers[0].dtype == torch.float32
    assert (answers[0] - answers[1]).norm() / answers[1].norm() < 0.05


def test_a_folder_with_another_schedule_is_refused(tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder("stable_audio"), tmp_path / "other")
    config = folder / "scheduler" / "scheduler_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "prediction_type": "epsilon"}))
    with pytest.raises(ModelUnavailable, match="epsilon/exponential"):
        load(str(folder), device="cpu")
