# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import inspect

import torch
from diffusers import MusicLDMPipeline
from transformers import ClapModel


def test_the_prompt_leads_as_strongly_as_in_its_pipeline(tiny_backbone):
    usual = inspect.signature(MusicLDMPipeline.__call__).parameters["guidance_scale"].default
    assert tiny_backbone("musicldm").facts.guidance == usual == 2.0


def test_the_text_half_of_the_whole_clap_model_is_what_reads_the_prompt(tiny_folder, tiny_backbone):
    backbone = tiny_backbone("musicldm")
    whole = ClapModel.from_pretrained(tiny_folder("musicldm") / "text_encoder").eval()
    ids = backbone.tokenizer("a slow waltz", return_tensors="pt")
    with torch.no_grad():
        expected = whole.get_text_features(**ids).pooler_output
    torch.testing.assert_close(backbone.condition("a slow waltz", 1.0).tensors["label"], expected, rtol=0, atol=1e-6)
    assert type(backbone.text_encoder).__name__ == "ClapTextModelWithProjection"
