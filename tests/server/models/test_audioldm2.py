# SPDX-License-Identifier: GPL-3.0-or-later
"""AudioLDM2 against its pipeline where that runs, and against the reference loop where it does not."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from transformers import ClapModel, GPT2Model, T5EncoderModel

from server.errors import ModelUnavailable
from server.models.loading import load

PROMPT = "rain on a tin roof"


@pytest.fixture(scope="module")
def backbone(tiny_backbone):
    return tiny_backbone("audioldm2")


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


@pytest.mark.parametrize("prompt", [PROMPT, ""])
def test_both_language_model_layouts_give_the_reference_conditioning(tiny_folder, backbone, hub_layout, prompt):
    hub = load(str(hub_layout), device="cpu")
    for folder, loaded in ((tiny_folder("audioldm2"), backbone), (hub_layout, hub)):
        generated, states = reference_conditioning(folder, loaded, prompt)
        ours = loaded.condition(prompt, 1.0).tensors
        torch.testing.assert_close(ours["generated"], generated, rtol=0, atol=1e-5)
        torch.testing.assert_close(ours["t5"], states, rtol=0, atol=1e-5)


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
