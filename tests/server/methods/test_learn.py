# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from server.errors import JobCancelled
from server.kinds import parse_options
from server.methods import adapters, run
from server.models import tiny
from server.models.audioldm import AudioLDM


def options(**given):
    return parse_options("learn", {"prompt": "bells", "name": "bells", "learn_steps": 40, "rank": 8} | given)


@pytest.fixture
def real(tmp_path):
    """The real AudioLDM classes at toy size."""
    folder = tiny.build("audioldm", tmp_path / "audioldm")
    return AudioLDM(folder, name="tiny", revision="r1", device=torch.device("cpu"), dtype=torch.float32)


@pytest.mark.parametrize("full", [False, True])
def test_learning_lowers_the_loss_and_the_entry_recalls_it(real, context, noise_clip, full):
    context = replace(context, backbone=lambda name: real)
    pristine = {name: w.clone() for name, w in real.network.state_dict().items()}
    adapter, recalled = run("learn", {"clip": noise_clip(1.0, 16000)}, options(full=full, learn_steps=60), context)
    assert adapter.provenance["loss_last"] < adapter.provenance["loss_first"]
    assert recalled.clip.samples.shape == (1, 16000)
    assert all(torch.equal(w, pristine[name]) for name, w in real.network.state_dict().items())
    assert not any(p.requires_grad for p in real.network.parameters())

    path = context.palette_dir / "bells.safetensors"
    path.write_bytes(adapter.data)
    with safe_open(path, "pt") as file:
        card = json.loads(file.metadata()["athanor"])
    assert card["prompt"] == "bells" and card["revision"] == "r1" and card["clip"] == "1" * 64
    x = torch.randn(1, *real.latent_shape(16000), generator=torch.Generator().manual_seed(0))
    level, prompt = real.levels(10).at(5), [real.condition("bells", 1.0)]
    with torch.no_grad():
        before = real.denoise(x, level, prompt)
        with adapters.recalled(real, adapters.read_entry(context.palette_dir, "bells")):
            inside = real.denoise(x, level, prompt)
        after = real.denoise(x, level, prompt)
    assert torch.equal(before, after) and not torch.allclose(before, inside, atol=1e-3)


def test_cancel_leaves_the_network_as_it_was(real, context, noise_clip):
    def stop(progress):
        if progress.step == 3:
            raise JobCancelled("cancelled")

    pristine = {name: w.clone() for name, w in real.network.state_dict().items()}
    with pytest.raises(JobCancelled):
        run("learn", {"clip": noise_clip(0.5, 16000)}, options(),
            replace(context, backbone=lambda name: real, on_step=stop))
    assert real.network.state_dict().keys() == pristine.keys()


def test_the_same_seed_learns_the_same_weights(context, noise_clip):
    clips = {"clip": noise_clip()}
    first, again = (run("learn", clips, options(seed=1), context)[1].clip for _ in range(2))
    assert np.array_equal(first.samples, again.samples)
