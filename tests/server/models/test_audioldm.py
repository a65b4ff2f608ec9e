# SPDX-License-Identifier: GPL-3.0-or-later
"""AudioLDM against its pipeline, and its one text vector."""

from __future__ import annotations

import inspect

import pytest
import torch
from diffusers import AudioLDMPipeline

from server.errors import InvalidOption
from server.sampling.guide import guided
from server.sampling.noise import GivenNoise
from server.sampling.solve import State, solve

PROMPT = "a bowed cymbal"
DEPRECATED = pytest.mark.filterwarnings("ignore:.*AudioLDM.*:FutureWarning", "ignore:.*deprecated.*:FutureWarning")


@pytest.fixture(scope="module")
def backbone(tiny_backbone):
    return tiny_backbone("audioldm")


@pytest.fixture(scope="module")
def pipeline(tiny_folder):
    pipe = AudioLDMPipeline.from_pretrained(tiny_folder("audioldm"), dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def test_the_prompt_leads_as_strongly_as_in_its_pipeline(backbone):
    usual = inspect.signature(AudioLDMPipeline.__call__).parameters["guidance_scale"].default
    assert backbone.facts.guidance == usual == 2.5


@DEPRECATED
def test_denoise_equals_the_pipelines_network_calls(backbone, pipeline, normal):
    calls = []
    handle = pipeline.unet.register_forward_hook(
        lambda module, args, kwargs, output: calls.append((args[0], kwargs["class_labels"], output[0])), with_kwargs=True
    )
    pipeline(PROMPT, audio_length_in_s=1.0, num_inference_steps=4, guidance_scale=3.0, latents=normal(1, 8, 25, 16))
    handle.remove()
    levels = backbone.levels(4)
    conditionings = [backbone.condition(None, 1.0), backbone.condition(PROMPT, 1.0)]
    assert len(calls) == 4
    for i, (x, labels, output) in enumerate(calls):
        torch.testing.assert_close(torch.cat([c.tensors["label"] for c in conditionings]), labels, rtol=0, atol=1e-6)
        alpha, sigma = levels.at(i).factors(x)
        tolerance = 1e-5 * max(1.0, levels.at(i).edm_sigma.item())  # 1e-5 of the noise is sigma/alpha times that of x0
        x0hat = backbone.denoise(x, levels.at(i), conditionings)
        torch.testing.assert_close(x0hat, (x - sigma * output) / alpha, rtol=1e-5, atol=tolerance)


@DEPRECATED
def test_a_generation_equals_the_pipelines_on_the_same_noise(backbone, pipeline, normal):
    x, n_steps, seconds = normal(2, 8, 25, 16), 6, 1.0
    theirs = torch.from_numpy(pipeline([PROMPT, "rain"], audio_length_in_s=seconds, num_inference_steps=n_steps,
                                       guidance_scale=2.5, eta=0.0, latents=x).audios)
    conditional = [backbone.condition(p, seconds) for p in (PROMPT, "rain")]
    denoise = guided(backbone, conditional, [backbone.condition(None, seconds)] * 2, 2.5)
    final = solve(denoise, State(x), backbone.levels(n_steps), noise=GivenNoise({}), solver="ode", order=1)
    kept = theirs.shape[-1] - backbone.delay
    ours = backbone.decode(final.x, theirs.shape[-1])[:, 0, :kept]  # the pipeline leaves the vocoder's delay in
    torch.testing.assert_close(ours, theirs[:, backbone.delay :], rtol=1e-4, atol=1e-4 * theirs.abs().max().item())


def test_the_null_prompt_is_the_empty_text(backbone):
    null = backbone.condition(None, 1.0)
    assert torch.equal(null.tensors["label"], backbone.condition("", 1.0).tensors["label"])
    assert null.tensors["label"].norm() == pytest.approx(1.0, abs=1e-6)
    assert (null.tensors["label"] - backbone.condition(PROMPT, 1.0).tensors["label"]).norm() > 0.1
    assert null.key != backbone.condition("", 1.0).key


def test_a_prompt_that_does_not_fit_is_refused(backbone):
    backbone.condition("x" * 75, 1.0)
    with pytest.raises(InvalidOption, match="has 78 tokens; .* at most 77"):
        backbone.condition("x" * 76, 1.0)


def test_a_lora_fits_into_the_network(backbone, tiny_folder, normal):
    from peft import LoraConfig, inject_adapter_in_model

    from server.models.loading import load

    other = load(str(tiny_folder("audioldm")), device="cpu")
    x, level, prompt = normal(1, 8, 26, 16), other.levels(10).at(5), [other.condition(PROMPT, 1.0)]
    before = other.denoise(x, level, prompt)
    inject_adapter_in_model(LoraConfig(r=2, target_modules=["to_q", "to_k", "to_v", "to_out.0"]), other.network)
    torch.testing.assert_close(other.denoise(x, level, prompt), before, rtol=1e-5, atol=1e-5)
    other.denoise(x, level, prompt).square().mean().backward()
    trained = [p for p in other.network.parameters() if p.requires_grad]
    assert trained and any(p.grad is not None and p.grad.any() for p in trained)
