# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from server.kinds.generate import GenerateOptions
from server.methods import generate
from server.methods.context import Context
from server.models.base import Backbone
from server.models.embedded.export import load_trained
from server.models.embedded.vocoder_network import MEL_PASSES


def test_the_folder_is_complete_and_of_half_precision(weights: Path) -> None:
    from safetensors.torch import load_file

    files = {path.relative_to(weights).as_posix() for path in weights.rglob("*.safetensors")}
    assert files == {"unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors",
                     "vocoder/model.safetensors", "text_encoder/model.safetensors"}
    for file in files:
        kinds = {tensor.dtype for tensor in load_file(weights / file).values() if tensor.is_floating_point()}
        assert kinds == {torch.float16}
    index = json.loads((weights / "model_index.json").read_text(encoding="utf-8"))
    assert all((weights / part).is_dir() for part in index if not part.startswith("_"))


def test_the_loaded_model_is_the_trained_one(work: Path, tiny_model: Backbone) -> None:
    nets = load_trained(work)
    for key, weight in nets["unet"].state_dict().items():
        torch.testing.assert_close(tiny_model.network.state_dict()[key], weight, rtol=1e-3, atol=1e-4)


def test_the_folder_asks_for_its_levels_to_be_set_right(tiny_model: Backbone) -> None:
    assert tiny_model.mel_passes == MEL_PASSES > 0


def test_latents_have_about_unit_deviation(tiny_model: Backbone) -> None:
    time = torch.arange(163840) / 32000
    audio = 0.3 * torch.sin(2 * torch.pi * 300 * time)[None, None] * (time % 1 < 0.5)
    with torch.no_grad():
        latents = tiny_model.encode(audio)
    assert latents.shape == (1, *tiny_model.latent_shape(163840))
    assert 0.2 < latents.std().item() < 5


def test_it_generates_sound(tiny_model: Backbone, tmp_path: Path) -> None:
    context = Context("a job", {}, tmp_path, lambda name: tiny_model, lambda progress: None)
    options = GenerateOptions(prompt="a dark drone", seconds=1.0, steps=3, variations=2, seed=1)
    made = generate.run({}, options, context)
    for output in made:
        assert output.clip.samples.shape == (2, 32000) and output.clip.sample_rate == 32000
        # a vocoder of two steps is faint, but it moves
        assert np.isfinite(output.clip.samples).all() and np.ptp(output.clip.samples) > 0
    assert not np.array_equal(made[0].clip.samples, made[1].clip.samples)
