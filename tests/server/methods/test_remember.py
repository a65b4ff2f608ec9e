# SPDX-License-Identifier: GPL-3.0-or-later
"""A model that keeps a clip instead of training on it: learn, generate and fuse on the real classes at toy size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from server.errors import InvalidOption
from server.kinds import parse_options
from server.methods import adapters, run
from server.models import tiny
from server.models.patches import Patches


@pytest.fixture(scope="module")
def mosaic(tmp_path_factory):
    folder = tiny.build("patches", tmp_path_factory.mktemp("patches"))
    return Patches(folder, name="tiny", revision="r1", device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture
def its_context(context, mosaic):
    return replace(context, backbone=lambda name: mosaic)


def learn(context, clip):
    adapter, recalled = run("learn", {"clip": clip}, parse_options("learn", {"prompt": "bells", "name": "bells"}), context)
    (context.palette_dir / "bells.safetensors").write_bytes(adapter.data)
    return adapter, recalled


def test_learning_is_keeping_and_the_entry_recalls_the_clip(its_context, mosaic, noise_clip, steps):
    adapter, recalled = learn(its_context, noise_clip(0.5, 16000))
    assert not any(step.phase == "learning" for step in steps)
    assert adapter.provenance["form"] == "memory" and "loss_first" not in adapter.provenance
    entry = adapters.read_entry(its_context.palette_dir, "bells")
    assert entry.card["form"] == "memory" and entry.card["prompt"] == "bells" and entry.weights.keys() == {"latents"}
    assert recalled.clip.samples.shape == (1, 8000)
    said = {"steps": 12, "seconds": 0.5, "adapter": "bells", "seed": 1}
    made = [run("generate", {}, parse_options("generate", said | {"prompt": p}), its_context)[0] for p in ("bells", "")]
    assert np.array_equal(made[0].clip.samples, made[1].clip.samples)
    plain = run("generate", {}, parse_options("generate", said | {"adapter": "", "prompt": "bells"}), its_context)[0]
    assert not np.allclose(plain.clip.samples, made[0].clip.samples, atol=1e-3)


def test_sampling_what_is_remembered_gives_its_latents(its_context, mosaic, noise_clip):
    from server.methods.generate import sample
    from server.sampling.noise import KeyedNoise

    latents = mosaic.encode(torch.from_numpy(noise_clip(0.5, 16000).samples[None]).float())
    with mosaic.recalling(mosaic.remember(latents[0])):
        asked = parse_options("generate", {"steps": 20})
        made = sample(mosaic, "", asked, 8000, KeyedNoise(1), its_context)
    assert (made - latents).abs().max() < 0.01 * latents.abs().max() + 0.02


def test_a_fusion_remembers_the_reference_by_itself(its_context, noise_clip, steps):
    clips = {"original": noise_clip(0.5, 16000, 2, seed=1), "reference": noise_clip(0.3, 22050, seed=2)}
    options = parse_options("fuse", {"steps": 24, "seed": 3, "snr_db": "-24,20", "raw_level": True})
    low, high = run("fuse", clips, options, its_context)
    assert low.provenance["options"]["reference"] == "remember"
    assert low.clip.samples.shape == high.clip.samples.shape == (2, 8000)
    assert not np.allclose(low.clip.samples, high.clip.samples, atol=1e-3)
    assert steps[-1].step == steps[-1].n_steps


def test_a_palette_entry_leads_a_fusion_and_can_be_dropped(its_context, noise_clip):
    learn(its_context, noise_clip(0.5, 16000, seed=2))
    asked = {"steps": 12, "seed": 3, "reference": "learn", "adapter": "bells", "prompt": "bells"}
    clips = {"original": noise_clip(0.5, 16000, seed=1)}
    kept, dropped = (run("fuse", clips, parse_options("fuse", asked | {"adapter_after": after}), its_context)[0]
                     for after in ("keep", "drop"))
    assert not np.allclose(kept.clip.samples, dropped.clip.samples, atol=1e-4)


def test_a_model_that_must_be_trained_cannot_remember(context, noise_clip):
    with pytest.raises(InvalidOption, match="gaussian cannot remember a clip without training.*'inversion'"):
        run("fuse", {"original": noise_clip(), "reference": noise_clip()},
            parse_options("fuse", {"reference": "remember", "backbone": "gaussian"}), context)
