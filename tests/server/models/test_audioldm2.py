# SPDX-License-Identifier: GPL-3.0-or-later
"""AudioLDM2 against its pipeline where that runs, and against the reference loop where it does not."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from diffusers import AudioLDM2Pipeline
from transformers import ClapModel, GPT2Model, T5EncoderModel

from server.errors import ModelUnavailable
from server.models.loading import load
from server.sampling.guide import guided
from server.sampling.noise import GivenNoise
from server.sampling.solve import State, solve

PROMPT = "rain on a tin roof"


@pytest.fixture(scope="module")
def backbone(tiny_backbone):
    return tiny_backbone("audioldm2")


@pytest.fixture(scope="module")
def pipeline(tiny_folder):
    pipe = AudioLDM2Pipeline.from_pretrained(tiny_folder("audioldm2"), dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def hub_layout(tiny_folder):
    """The official folders' layout: a GPT2Model as the language model."""
    return tiny_folder("audioldm2", language_model="GPT2Model")


def reference_conditioning(folder, backbone, prompt):
    """The pipeline's encoding written out, with the whole CLAP model, and GPT-2 fed by hand without a cache."""
    clap = ClapModel.from_pretrained(folder / "text_encoder").eval()
    t5 = T5EncoderModel.from_pretrained(folder / "text_encoder_2").eval()
    gpt2 = GPT2Model.from_pretrained(folder / "language_model").eval()
    with torch.no_grad():
        text = backbone.clap_tokenizer(prompt, padding="max_length", max_length=77, return_tensors="pt")
        features = clap.get_text_features(**text).pooler_output[:, None]
        ids = backbone.t5_tokenizer(prompt, return_tensors="pt")
        states = t5(**ids).last_hidden_state
        joined = backbone.projection(features, states, torch.ones(1, 1), ids.attention_mask)
        x, mask = joined.hidden_states, joined.attention_mask
        for _ in range(8):
            hidden = gpt2(inputs_embeds=x, attention_mask=mask, use_cache=False).last_hidden_state
            x, mask = torch.cat([x, hidden[:, -1:]], 1), torch.cat([mask, mask.new_ones(1, 1)], 1)
    return x[:, -8:], states


def test_denoise_equals_the_pipelines_network_calls(backbone, pipeline, normal):
    calls = []
    handle = pipeline.unet.register_forward_hook(
        lambda module, args, kwargs, output: calls.append((args[0], kwargs, output[0])), with_kwargs=True
    )
    pipeline(PROMPT, audio_length_in_s=1.0, num_inference_steps=3, guidance_scale=1.0, latents=normal(1, 8, 25, 16))
    handle.remove()
    levels, conditionings = backbone.levels(3), [backbone.condition(PROMPT, 1.0)]
    assert len(calls) == 3
    for i, (x, kwargs, output) in enumerate(calls):
        ours = conditionings[0].tensors
        torch.testing.assert_close(ours["generated"], kwargs["encoder_hidden_states"], rtol=0, atol=1e-5)
        torch.testing.assert_close(ours["t5"], kwargs["encoder_hidden_states_1"], rtol=0, atol=1e-5)
        alpha, sigma = levels.at(i).factors(x)
        tolerance = 1e-5 * max(1.0, levels.at(i).edm_sigma.item())  # 1e-5 of the noise is sigma/alpha times that of x0
        x0hat = backbone.denoise(x, levels.at(i), conditionings)
        torch.testing.assert_close(x0hat, (x - sigma * output) / alpha, rtol=1e-5, atol=tolerance)


def test_a_generation_equals_the_pipelines_on_the_same_noise(backbone, pipeline, normal):
    x, n_steps, seconds = normal(1, 8, 25, 16), 6, 1.0
    # The pipeline pads its null prompt to the prompt's length, which changes it: it is given ours instead.
    prompt, null = (backbone.condition(p, seconds).tensors for p in (PROMPT, None))
    n_tokens = prompt["t5"].shape[1]
    padded = torch.zeros_like(prompt["t5"])
    padded[:, : null["t5"].shape[1]] = null["t5"]
    theirs = torch.from_numpy(pipeline(
        prompt_embeds=prompt["t5"], attention_mask=prompt["mask"], generated_prompt_embeds=prompt["generated"],
        negative_prompt_embeds=padded, negative_attention_mask=torch.eye(1, n_tokens, dtype=torch.long),
        negative_generated_prompt_embeds=null["generated"], audio_length_in_s=seconds, num_inference_steps=n_steps,
        guidance_scale=3.5, eta=0.0, latents=x,
    ).audios)
    denoise = guided(backbone, [backbone.condition(PROMPT, seconds)], [backbone.condition(None, seconds)], 3.5)
    final = solve(denoise, State(x), backbone.levels(n_steps), noise=GivenNoise({}), solver="ode", order=1)
    kept = theirs.shape[-1] - backbone.delay
    ours = backbone.decode(final.x, theirs.shape[-1])[:, 0, :kept]
    torch.testing.assert_close(ours, theirs[:, backbone.delay :], rtol=1e-4, atol=1e-4 * theirs.abs().max().item())


@pytest.mark.parametrize("prompt", [PROMPT, ""])
def test_both_language_model_layouts_give_the_reference_conditioning(tiny_folder, backbone, hub_layout, prompt):
    hub = load(str(hub_layout), device="cpu")
    for folder, loaded in ((tiny_folder("audioldm2"), backbone), (hub_layout, hub)):
        generated, states = reference_conditioning(folder, loaded, prompt)
        ours = loaded.condition(prompt, 1.0).tensors
        torch.testing.assert_close(ours["generated"], generated, rtol=0, atol=1e-5)
        torch.testing.assert_close(ours["t5"], states, rtol=0, atol=1e-5)


def test_padding_trap_a_prompt_is_the_same_beside_a_longer_one(backbone, normal):
    short, long = backbone.condition("rain", 1.0), backbone.condition("rain on a tin roof, far away, at night", 1.0)
    x, level = normal(2, 8, 25, 16), backbone.levels(10).at(4)
    together = backbone.denoise(x, level, [short, long])
    torch.testing.assert_close(together[:1], backbone.denoise(x[:1], level, [short]), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(together[1:], backbone.denoise(x[1:], level, [long]), rtol=1e-4, atol=1e-4)
    spread = (backbone.denoise(x[:1], level, [long]) - together[:1]).abs().max()
    assert spread > 1e-2, "the test would not see a prompt that changes"


def test_the_null_prompt_is_the_empty_text_unpadded(backbone):
    null, empty = backbone.condition(None, 1.0).tensors, backbone.condition("", 1.0).tensors
    assert null["t5"].shape == (1, 1, 32) and null["generated"].shape == (1, 8, 48)
    assert all(torch.equal(null[name], empty[name]) for name in null)


def test_a_speech_checkpoint_is_refused(tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder("audioldm2"), tmp_path / "speech")
    index = folder / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "text_encoder_2": ["transformers", "VitsModel"]}))
    with pytest.raises(ModelUnavailable, match="VitsModel: a speech checkpoint"):
        load(str(folder), device="cpu")
