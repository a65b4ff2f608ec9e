# SPDX-License-Identifier: GPL-3.0-or-later
"""The model that ships: its folder, its credits, its card, and what it answers with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from server.kinds.generate import GenerateOptions
from server.methods import generate
from server.methods.context import Context
from server.models.base import Backbone
from server.models.catalogue import EMBEDDED_FOLDER
from server.models.embedded.credits import read_credits
from server.models.embedded.recordings import ALLOWED
from server.models.embedded.vocabulary import CLASSES, NAMES
from server.models.loading import load

BESIDE = EMBEDDED_FOLDER.parent
MB = 1_000_000


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load("embedded", device="cpu")


def test_the_weights_are_small() -> None:
    sizes = [path.stat().st_size for path in EMBEDDED_FOLDER.rglob("*") if path.is_file()]
    assert sizes and max(sizes) < 16 * MB and sum(sizes) <= 16 * MB


def test_it_loads_by_its_name(backbone: Backbone) -> None:
    facts = backbone.facts
    assert (facts.name, facts.layout, facts.sample_rate, facts.channels) == ("embedded", "audioldm", 16000, 1)
    assert facts.max_s == pytest.approx(10.24)
    assert facts.latent_hz == 25


def test_five_seconds_are_sound(backbone: Backbone, tmp_path: Path) -> None:
    context = Context("a job", {}, tmp_path, lambda name: backbone, lambda progress: None)
    options = GenerateOptions(prompt=CLASSES[0].example, seconds=5.0, steps=12, seed=1)
    clip = generate.run({}, options, context)[0].clip
    assert clip.samples.shape == (1, 80000)
    assert np.isfinite(clip.samples).all()
    assert np.sqrt(np.mean(clip.samples**2)) > 0.001


def test_every_recording_is_credited_under_a_free_licence() -> None:
    lines = read_credits(BESIDE / "credits.csv")
    assert lines
    for line in lines:
        assert line["licence"] in ALLOWED and line["label"] in NAMES
        assert line["author"] and line["title"] and line["source"].startswith("http")


def test_the_card_names_every_class_and_prompt() -> None:
    card = (BESIDE / "card.md").read_text(encoding="utf-8")
    assert all(sound.name in card and sound.example in card for sound in CLASSES)
