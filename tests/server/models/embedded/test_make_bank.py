# SPDX-License-Identifier: GPL-3.0-or-later
"""Which clips go into the bank of the mosaic, and that what is written is their latents."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from server.models.embedded.corpus import Corpus
from server.models.embedded.fold import LinearFold, as_autoencoder
from server.models.embedded.format import CLIP_FRAMES, ITEM_SAMPLES
from server.models.embedded.make_bank import chosen, encoded, make_bank
from server.models.patches import _load_bank

N_CLASSES, WIDTH = 2, 8


def item(index: int, kind: str, source: str, split: str = "train") -> dict:
    return {"class": index, "kind": kind, "source": source, "split": split, "words": [], "phrases": ["a hum"]}


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Class 0: 9 sources of 2 recordings, then synthesis; class 1: 2 recordings of one source, then synthesis."""
    items = [item(0, "recording", f"r{k // 2}") for k in range(18)]
    items += [item(0, "synthesis", "made") for _ in range(20)]
    items += [item(1, "recording", "only"), item(1, "recording", "only"), item(1, "recording", "held", "test")]
    items += [item(1, "synthesis", "made") for _ in range(20)]
    audio = np.random.default_rng(1).integers(-9000, 9000, (len(items), ITEM_SAMPLES), dtype=np.int16)
    return Corpus(audio, items, frozenset({0, 1}))


def test_recordings_of_every_source_come_first(corpus):
    rows = chosen(corpus, 0, 9, seed=1)
    assert sorted(corpus.items[row]["source"] for row in rows) == [f"r{k}" for k in range(9)]
    assert len(set(chosen(corpus, 0, 18, seed=1))) == 18
    assert {corpus.items[row]["kind"] for row in chosen(corpus, 0, 18, seed=1)} == {"recording"}


def test_synthesis_fills_what_recordings_leave(corpus):
    rows = chosen(corpus, 1, 10, seed=1)
    kinds = [corpus.items[row]["kind"] for row in rows]
    assert kinds == ["recording"] * 2 + ["synthesis"] * 8 and len(set(rows)) == 10
    assert all(corpus.items[row]["split"] == "train" for row in rows)
    assert len(chosen(corpus, 1, 99, seed=1)) == 22


def test_the_bank_is_the_latents_of_those_clips(corpus, tmp_path):
    torch.manual_seed(0)
    vae = as_autoencoder(LinearFold(WIDTH))
    vae.save_pretrained(tmp_path / "vae")
    asked: list[str] = []

    def vectors(prompts: list[str]) -> torch.Tensor:
        asked.extend(prompts)
        return torch.tensor([[3.0, 4.0]]).expand(len(prompts), -1)

    out = tmp_path / "model" / "mosaic"
    assert make_bank(corpus, tmp_path / "vae", vectors, tmp_path / "model" / "weights", out, seed=1, per_class=2) == 4
    assert json.loads((out / "model_index.json").read_text())["base"] == "../weights"
    bank = _load_bank(out)
    assert bank.clips.shape[:2] == (4, CLIP_FRAMES) and bank.classes.tolist() == [0, 0, 1, 1]
    torch.testing.assert_close(bank.directions, torch.tensor([[0.6, 0.8]] * N_CLASSES))
    written = encoded(corpus, chosen(corpus, 0, 2, seed=1), vae.eval())
    step = written.abs().amax((0, 1)) / 127
    assert ((bank.clips[:2] - written).abs() <= bank.clips.abs().amax((0, 1)) / 127).all() and bool((step > 0).all())
    assert any("hum" in prompt for prompt in asked)
