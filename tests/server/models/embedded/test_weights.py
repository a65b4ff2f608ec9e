# SPDX-License-Identifier: GPL-3.0-or-later
"""The model that ships: its folder, its credits, its card, and what it answers with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AudioLDMPipeline

from server.kinds.generate import GenerateOptions
from server.methods import generate
from server.methods.context import Context
from server.models.base import Backbone
from server.models.catalogue import EMBEDDED_FOLDER
from server.models.embedded.credits import read_credits
from server.models.embedded.recordings import ALLOWED
from server.models.embedded.vocabulary import CLASSES, NAMES
from server.models.loading import load
from server.sampling.noise import GivenNoise
from server.sampling.solve import State, solve

BESIDE = EMBEDDED_FOLDER.parent
MB = 1_000_000


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load("embedded", device="cpu")


def test_the_weights_are_small() -> None:
    sizes = [path.stat().st_size for path in EMBEDDED_FOLDER.rglob("*") if path.is_file()]
    assert sizes and max(sizes) < 16 * MB and sum(sizes) <= 48 * MB


def test_it_loads_by_its_name(backbone: Backbone) -> None:
    facts = backbone.facts
    assert (facts.name, facts.layout, facts.sample_rate, facts.channels) == ("embedded", "audioldm", 32000, 1)
    assert facts.max_s == pytest.approx(10.24)
    assert facts.latent_hz == 12.5


def test_five_seconds_are_sound(backbone: Backbone, tmp_path: Path) -> None:
    context = Context("a job", {}, tmp_path, lambda name: backbone, lambda progress: None)
    options = GenerateOptions(prompt=CLASSES[0].example, seconds=5.0, steps=12, seed=1)
    clip = generate.run({}, options, context)[0].clip
    assert clip.samples.shape == (2, 160000)
    assert np.isfinite(clip.samples).all() and not np.array_equal(*clip.samples)
    assert np.sqrt(np.mean(clip.samples**2)) > 0.001


@pytest.mark.filterwarnings("ignore:.*AudioLDM.*:FutureWarning", "ignore:.*deprecated.*:FutureWarning")
def test_diffusers_own_pipeline_makes_the_same_of_the_same_noise(backbone: Backbone) -> None:
    """The network's own sound: the noise under it and the correction of its levels are ours."""
    pipeline = AudioLDMPipeline.from_pretrained(EMBEDDED_FOLDER, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    prompt, seconds, n_steps = "rain on a roof", 1.28, 4
    n_samples = round(seconds * 32000)
    shape = (1, *backbone.latent_shape(n_samples))
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    theirs = pipeline(prompt, audio_length_in_s=seconds, num_inference_steps=n_steps, guidance_scale=1.0, latents=noise,
                      output_type="pt").audios
    levels, condition = backbone.levels(n_steps, "model"), [backbone.condition(prompt, seconds)]
    final = solve(lambda x, level: backbone.denoise(x, level, condition), State(noise), levels, noise=GivenNoise({}),
                  solver="ode", order=1)
    with torch.no_grad():
        ours = backbone.parts.vocoder(backbone.decode_mel(final.x))
    loudest = theirs.abs().max().item()
    assert loudest > 1e-3
    torch.testing.assert_close(ours[:, :theirs.shape[1]], theirs, rtol=1e-3, atol=1e-3 * loudest)


def test_every_recording_is_credited_under_a_free_licence() -> None:
    lines = read_credits(BESIDE / "credits.csv")
    assert lines
    for line in lines:
        assert line["licence"] in ALLOWED and line["label"] in NAMES
        assert line["author"] and line["title"] and line["source"].startswith("http")


def test_the_card_names_every_class_and_prompt() -> None:
    card = (BESIDE / "card.md").read_text(encoding="utf-8")
    assert all(sound.name in card and sound.example in card for sound in CLASSES)
