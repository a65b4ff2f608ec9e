# SPDX-License-Identifier: GPL-3.0-or-later
"""A bank as a backbone: prompts as priors, levels as windows, a clip remembered."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from server.errors import ModelUnavailable
from server.models.bank import posterior_mean
from server.models.catalogue import folder_revision
from server.models.loading import load
from server.models.patches import window_at

FRAMES = 12


@pytest.fixture(scope="module")
def backbone(tiny_backbone):
    return tiny_backbone("patches")


def as_frames(latents):
    return latents.transpose(0, 1).flatten(1)


def test_facts_and_revision(backbone, tiny_folder, tmp_path):
    facts, folder = backbone.facts, tiny_folder("patches")
    assert (facts.layout, facts.sample_rate, facts.channels, facts.latent_hz) == ("patches", 16000, 1, 25.0)
    assert (facts.fusion.low_db, facts.fusion.high_db) == (-9.0, 15.0)
    assert facts.guidance == 1.0 and facts.revision == folder_revision(folder)
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert folder_revision(copy) == facts.revision
    (copy / "base" / "vae" / "config.json").write_text("{}", encoding="utf-8")
    assert folder_revision(copy) != facts.revision


def test_the_bank_is_kept_to_8_bits(backbone):
    draw = torch.Generator().manual_seed(0)
    torch.randn(3, 32, generator=draw)
    written = torch.randn(6, 16, 128, generator=draw)
    assert (backbone.network.clips - written).abs().max() <= 0.5 * written.abs().max() / 127 + 1e-6


def test_the_null_prompt_is_even_over_the_classes_and_a_prompt_moves_it(backbone):
    bank = backbone.network
    even = bank.log_prior(backbone.condition(None, 1.0).tensors["label"][0]).exp()
    torch.testing.assert_close(even, torch.full((6,), 1 / 6))
    for place, direction in enumerate(bank.directions):
        share = bank.log_prior(direction).exp()
        assert share.argmax() // 2 == place and share.sum() == pytest.approx(1.0, abs=1e-5)
        assert share[2 * place] == share[2 * place + 1] > 0.3
    said = backbone.condition("glass bells", 1.0).tensors["label"][0]
    assert said.norm() == pytest.approx(1.0, abs=1e-5)
    assert not torch.allclose(bank.log_prior(said).exp(), even, atol=0.01)


def test_denoising_is_the_posterior_mean_under_that_prior(backbone, normal):
    x, levels = normal(3, 8, FRAMES, 16), backbone.levels(10)
    conditionings = [backbone.condition(p, 1.0) for p in ("glass bells", None, "wind")]
    together = backbone.denoise(x, levels.at([0, 4, 9]), conditionings)
    for item, index in enumerate((0, 4, 9)):
        level, bank = levels.at(index), backbone.network
        prior = bank.log_prior(conditionings[item].tensors["label"][0])
        alpha, sigma = level.alpha.float(), level.sigma.float()
        expected = posterior_mean(as_frames(x[item]), bank.clips, prior, alpha, sigma, 2, 1)
        torch.testing.assert_close(as_frames(together[item]), expected, rtol=1e-5, atol=1e-5)
        alone = backbone.denoise(x[item : item + 1], level, conditionings[item : item + 1])
        torch.testing.assert_close(together[item : item + 1], alone, rtol=1e-5, atol=1e-5)


def test_gradients_reach_the_state(backbone, normal):
    x = normal(1, 8, FRAMES, 16).requires_grad_()
    backbone.denoise(x, backbone.levels(10).at(8), [backbone.condition(None, 1.0)]).square().mean().backward()
    assert torch.isfinite(x.grad).all() and x.grad.any()


@pytest.mark.parametrize("prompt", [None, "anything"])
def test_a_remembered_clip_comes_back_from_noise_and_is_forgotten(backbone, normal, prompt):
    clip, x, level = normal(8, FRAMES, 16), normal(1, 8, FRAMES, 16, seed=1), backbone.levels(10, "even").at(0)
    conditionings = [backbone.condition(prompt, 1.0)]
    before = backbone.denoise(x, level, conditionings)
    memory = backbone.remember(clip)
    with backbone.recalling(memory):
        torch.testing.assert_close(backbone.denoise(x, level, conditionings)[0], clip.half().float(), rtol=0, atol=1e-5)
    assert torch.equal(backbone.denoise(x, level, conditionings), before)


def test_windows_by_level():
    windows = [[-20.0, 8, 0], [0.0, 3, 1], [None, 1, 1]]
    assert [window_at(windows, snr_db) for snr_db in (-24.0, -20.0, -1.0, 0.0, 40.0)] == [
        (8, 0), (3, 1), (3, 1), (1, 1), (1, 1)]


@pytest.mark.parametrize(("base", "says"), [("elsewhere", "as base, and 'elsewhere' has no"), (None, "as base, and None")])
def test_a_base_that_is_not_there_is_named(tiny_folder, tmp_path, base, says):
    copy = shutil.copytree(tiny_folder("patches"), tmp_path / "copy")
    index = {"_class_name": "PatchMosaicPipeline"} | ({"base": base} if base else {})
    (copy / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(ModelUnavailable, match=says):
        load(str(copy), device="cpu")


def test_a_bank_of_another_base_is_refused(tiny_folder, tmp_path):
    import safetensors.torch

    copy = shutil.copytree(tiny_folder("patches"), tmp_path / "copy")
    tensors = safetensors.torch.load_file(copy / "bank" / "bank.safetensors")
    narrow = tensors | {"latents": tensors["latents"][..., :64].contiguous(), "scale": tensors["scale"][:64].contiguous()}
    safetensors.torch.save_file(narrow, copy / "bank" / "bank.safetensors")
    with pytest.raises(ModelUnavailable, match="has 64 numbers a frame .* has 128"):
        load(str(copy), device="cpu")
    (copy / "bank" / "bank.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelUnavailable, match="bank in .* cannot be loaded"):
        load(str(copy), device="cpu")
