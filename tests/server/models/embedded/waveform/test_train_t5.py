# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from server.models.embedded.corpus import Corpus
from server.models.embedded.loop import Settings
from server.models.embedded.text_tower import TextTower
from server.models.embedded.train_text import TextPlan, train_text
from server.models.embedded.waveform.text_states import TextStates
from server.models.embedded.waveform.train_t5 import (
    T5Plan,
    batches,
    nearness,
    start_embedding,
    strung,
    texts_of,
    train_t5,
)
from server.models.embedded.wordpieces import in_order

TEXT = TextPlan(common=40, near=40, endings=20, captions=20, phrases=20, words=20, epochs=1, steps=5, batch=16)
PLAN = T5Plan(captions=40, phrases=40, words=20, strings=20, held=20, epochs=6, batch=16)


@pytest.fixture(scope="module")
def tower(corpus: Corpus, bert_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> TextTower:
    work = tmp_path_factory.mktemp("tower")
    train_text(corpus, work, Settings(seed=5), bert_folder, TEXT)
    return TextTower.load(work)


@pytest.fixture(scope="module")
def trained(corpus: Corpus, tower: TextTower, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    out = tmp_path_factory.mktemp("t5")
    return train_t5(corpus, tower, out, Settings(seed=2), PLAN), out


def test_the_student_learns_the_tower(trained, tower: TextTower) -> None:
    figures, out = trained
    assert figures["captions"] > 0.9 and figures["error"] < 0.3
    assert figures["student_phrases"] == figures["tower_phrases"] > 0
    student = TextStates.load(out)
    states, mask = student(["rain", ""])
    assert states[mask].std().item() == pytest.approx(1, abs=0.3)
    assert nearness(tower, student, ["rain", ""]) > 0.8


def test_its_pieces_are_the_tower_s(trained, tower: TextTower) -> None:
    student = TextStates.load(trained[1])
    assert in_order(student.tokenizer) == in_order(tower.tokenizer)
    assert student.encoder.config.vocab_size == len(tower.tokenizer)


def test_the_same_seed_gives_the_same_student(trained, corpus: Corpus, tower: TextTower, tmp_path: Path) -> None:
    assert train_t5(corpus, tower, tmp_path, Settings(seed=2), PLAN) == pytest.approx(trained[0], abs=1e-3)


def test_texts_hold_the_empty_prompt_and_every_kind(corpus: Corpus, tower: TextTower) -> None:
    texts = texts_of(corpus, in_order(tower.tokenizer), np.random.default_rng(0), PLAN)
    assert texts.count("") >= 2 and "drone" in texts and len(texts) > 120


def test_strings_are_words_and_endings() -> None:
    rng = np.random.default_rng(0)
    drawn = {word for _ in range(100) for word in strung(rng, ["gong", "hum"], ["gong", "hum", "##ing", "##s"]).split()}
    assert drawn == {"gong", "hum", "gonging", "humming".replace("mm", "m"), "gongs", "hums"}


def test_the_embedding_starts_from_the_strongest_directions() -> None:
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(50, 3, generator=generator) * torch.tensor([5.0, 3.0, 0.01]) + 7
    started = start_embedding(table, 2)
    assert started.shape == (50, 2) and started.std().item() == pytest.approx(1, abs=1e-5)
    ratio = torch.pdist(started) / torch.pdist(table)
    assert ratio.min() > 0.99 * ratio.max()  # what it leaves out is small, so distances stay in proportion
    assert start_embedding(table, 5).shape == (50, 5)


def test_batches_hold_every_text_once_and_like_lengths_together() -> None:
    lengths = torch.arange(100) % 25 + 2
    drawn = list(batches(lengths, 10, np.random.default_rng(0)))
    assert sorted(torch.cat(drawn).tolist()) == list(range(100))
    assert max(int(lengths[p].max() - lengths[p].min()) for p in drawn) <= 8
    assert [int(lengths[p].min()) for p in drawn] != sorted(int(lengths[p].min()) for p in drawn)
