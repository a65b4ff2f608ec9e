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


def pipeline_calls(pipe, **arguments):
    """Runs the pipeline and returns its result with every (input, output) of its network."""
    seen = []
    handle = pipe.transformer.register_forward_hook(
        lambda module, args, kwargs, output: seen.append((args, kwargs, output[0])), with_kwargs=True
    )
    try:
        return pipe(**arguments).audios, seen
    finally:
        handle.remove()


def test_facts_come_from_the_configs(backbone):
    facts = backbone.facts
    assert (facts.layout, facts.sample_rate, facts.channels) == ("stable_audio", 44100, 2)
    assert facts.latent_hz == 44100 / 2048
    assert facts.max_s == 128 * 2048 / 44100  # 47.55 s for the official 1024 frames


@BROWNIAN_ENDS
def test_denoise_equals_the_pipelines_network_calls(backbone, pipeline, normal):
    latents = normal(1, 4, 128)
    _, calls = pipeline_calls(
        pipeline, prompt=PROMPT, audio_end_in_s=1.3, num_inference_steps=4, guidance_scale=5.0, latents=latents,
        output_type="latent",
    )
    levels = backbone.levels(4)
    conditionings = [backbone.condition(None, 1.3), backbone.condition(PROMPT, 1.3)]
    for i, (args, kwargs, output) in enumerate(calls):
        torch.testing.assert_close(
            torch.cat([c.tensors["tokens"] for c in conditionings]), kwargs["encoder_hidden_states"], rtol=1e-5, atol=1e-6
        )
        alpha, sigma = levels.at(i).factors(args[0])
        x0hat = backbone.denoise(args[0], levels.at(i), conditionings)
        torch.testing.assert_close(x0hat, alpha * args[0] - sigma * output, rtol=1e-5, atol=1e-5)


@BROWNIAN_ENDS
def test_a_generation_equals_the_pipelines_on_the_same_noise(backbone, tiny_folder, by_diffusers_and_by_us):
    theirs, ours = by_diffusers_and_by_us(tiny_folder("stable_audio"), backbone, PROMPT, 1.3)
    assert theirs.shape == (1, 2, int(1.3 * 44100))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().max().item())


def test_levels_equal_the_schedulers_table(backbone, pipeline):
    pipeline.scheduler.set_timesteps(50)
    levels = backbone.levels(50)
    np.testing.assert_allclose(
        (levels.sigma / levels.alpha)[:-1], pipeline.scheduler.sigmas[:-1].double(), rtol=2e-6
    )
    np.testing.assert_allclose(levels.time[:-1], pipeline.scheduler.timesteps.double(), rtol=2e-6)
    assert levels.sigma[-1] == 0
    assert torch.equal(levels.alpha, backbone.levels(50, "even").alpha)


def test_the_null_prompt_is_zero_tokens_with_the_timing_kept(backbone):
    null, text, empty = (backbone.condition(p, 2.0) for p in (None, PROMPT, ""))
    assert null.tensors["tokens"].shape == text.tensors["tokens"].shape == (1, 130, 32)
    assert not null.tensors["tokens"].any()
    assert torch.equal(null.tensors["timing"], text.tensors["timing"])
    assert empty.tensors["tokens"][:, 0].any(), "an empty text is not the null prompt: its end mark is heard"
    assert not torch.equal(backbone.condition(None, 4.0).tensors["timing"], null.tensors["timing"])


def test_prompts_are_cached_and_never_cut(backbone):
    assert backbone.condition(PROMPT, 2.0) is backbone.condition(PROMPT, 2.0)
    with pytest.raises(InvalidOption, match=r"reads at most 128\. Shorten"):
        backbone.condition("a" * 10_000, 2.0)


def test_a_batch_equals_its_items_at_their_own_levels(backbone, normal):
    x, levels = normal(3, 4, 128), backbone.levels(10)
    conditionings = [backbone.condition(p, 1.0) for p in (PROMPT, None, "wind")]
    together = backbone.denoise(x, levels.at([0, 4, 9]), conditionings)
    for item, index in enumerate((0, 4, 9)):
        alone = backbone.denoise(x[item : item + 1], levels.at(index), conditionings[item : item + 1])
        torch.testing.assert_close(together[item : item + 1], alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n_samples", [1, 2047, 2048, 44117])
def test_odd_lengths_come_back_exactly(backbone, normal, n_samples):
    audio = 0.1 * normal(1, 2, n_samples)
    latents = backbone.encode(audio)
    assert latents.shape[1:] == backbone.latent_shape(n_samples) == (4, 128)
    assert backbone.decode(latents, n_samples).shape == audio.shape


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


def test_gradients_reach_the_latents_through_the_decoder(backbone, normal):
    latents = normal(1, 4, 128).requires_grad_()
    backbone.decode(latents, 5000).square().mean().backward()
    assert torch.isfinite(latents.grad).all() and latents.grad.any()
    assert all(p.grad is None for p in backbone.vae.parameters())


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
