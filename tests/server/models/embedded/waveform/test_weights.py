# SPDX-License-Identifier: GPL-3.0-or-later
"""The waveform model that ships: its folder, and what it answers with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from server.kinds.generate import GenerateOptions
from server.methods import generate
from server.methods.context import Context
from server.models.base import Backbone
from server.models.catalogue import CATALOGUE, WAVEFORM_FOLDER
from server.models.loading import load

MB = 1_000_000


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load("waveform", device="cpu")


def test_the_weights_are_small() -> None:
    sizes = [path.stat().st_size for path in WAVEFORM_FOLDER.rglob("*") if path.is_file()]
    assert sizes and max(sizes) < 16 * MB and sum(sizes) <= 48 * MB


def test_it_loads_by_its_name_and_is_as_its_card_says(backbone: Backbone) -> None:
    facts, card = backbone.facts, CATALOGUE["waveform"]
    assert (facts.name, facts.layout, facts.sample_rate, facts.channels) == ("waveform", card.layout, 32000, 2)
    assert (card.sample_rate, card.channels) == (facts.sample_rate, facts.channels)
    assert facts.max_s == pytest.approx(card.max_s) and facts.latent_hz == 62.5


def test_a_second_is_stereo_sound(backbone: Backbone, tmp_path: Path) -> None:
    context = Context("a job", {}, tmp_path, lambda name: backbone, lambda progress: None)
    options = GenerateOptions(prompt="rain on a roof", seconds=1.0, steps=4, seed=1)
    clip = generate.run({}, options, context)[0].clip
    assert clip.samples.shape == (2, 32000) and np.isfinite(clip.samples).all()
    assert not np.array_equal(*clip.samples) and np.sqrt(np.mean(clip.samples**2)) > 0.001


@pytest.mark.filterwarnings("ignore:Should have t[ab]:UserWarning")
def test_diffusers_own_pipeline_makes_the_same_of_the_same_noise(by_diffusers_and_by_us) -> None:
    whole = load("waveform", device="cpu", window="full")  # as the pipeline does
    theirs, ours = by_diffusers_and_by_us(WAVEFORM_FOLDER, whole, "rain on a roof", 0.5, n_steps=3, frames=48)
    assert theirs.shape == (1, 2, 16000)
    assert theirs.std() > 1e-3
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * theirs.abs().max().item())
