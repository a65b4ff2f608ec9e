# SPDX-License-Identifier: GPL-3.0-or-later
"""AudioLDM against its pipeline, and its one text vector."""

from __future__ import annotations

import inspect

import pytest
import torch
from diffusers import AudioLDMPipeline

from server.errors import InvalidOption

PROMPT = "a bowed cymbal"
DEPRECATED = pytest.mark.filterwarnings("ignore:.*AudioLDM.*:FutureWarning", "ignore:.*deprecated.*:FutureWarning")


@pytest.fixture(scope="module")
def backbone(tiny_backbone):
    return tiny_backbone("audioldm")


def test_the_prompt_leads_as_strongly_as_in_its_pipeline(backbone):
    usual = inspect.signature(AudioLDMPipeline.__call__).parameters["guidance_scale"].default
    assert backbone.facts.guidance == usual == 2.5


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
