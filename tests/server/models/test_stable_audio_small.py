# SPDX-License-Identifier: GPL-3.0-or-later
"""What Stable Audio Open Small has of its own; its sound against the published loop is in the conformance suite."""

from __future__ import annotations

import pytest
import torch

from server.errors import InvalidOption


@pytest.fixture(scope="module")
def backbone(tiny_backbone):
    return tiny_backbone("stable_audio_small")


def test_it_says_what_it_is_for(backbone):
    facts = backbone.facts
    assert (facts.layout, facts.methods, facts.sampler, facts.guidance) == (
        "stable_audio_small", frozenset({"generate"}), "ping_pong", 1.0)
    assert facts.max_s == 64 * 2048 / 44100  # 11.9 s for the official 256 frames
    assert backbone.latent_shape(1) == (4, 64)


def test_levels_are_the_published_times(backbone):
    levels = backbone.levels(8)
    expected = torch.sigmoid(-torch.linspace(-6, 2, 9, dtype=torch.float64))
    expected[0], expected[-1] = 1.0, 0.0
    torch.testing.assert_close(levels.time, expected)
    torch.testing.assert_close(levels.sigma / (levels.alpha + levels.sigma), expected)
    torch.testing.assert_close(levels.alpha**2 + levels.sigma**2, torch.ones(9, dtype=torch.float64))
    with pytest.raises(InvalidOption, match="n_steps is 0"):
        backbone.levels(0)


def test_its_queries_and_keys_are_normed(backbone):
    norms = [norm for block in backbone.network.transformer_blocks for attention in (block.attn1, block.attn2)
             for norm in (attention.norm_q, attention.norm_k)]
    assert len(norms) == 8 and all(norm.normalized_shape == (16,) and norm.eps == 1e-6 for norm in norms)


def test_its_tokens_are_text_and_length(backbone):
    tensors = backbone.condition("bells", 2.0).tensors
    assert tensors["tokens"].shape == (1, 65, 32) and tensors["timing"].shape == (1, 1, 32)
    assert torch.equal(tensors["tokens"][:, -1:], tensors["timing"])
