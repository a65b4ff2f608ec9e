# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import ClapTextModelWithProjection, PreTrainedTokenizerFast

from server.models.embedded.corpus import Corpus
from server.models.embedded.loop import Settings
from server.models.embedded.text_pooling import GAIN
from server.models.embedded.text_tower import TextTower, clap_of_bert, read_bert
from server.models.embedded.train_text import (
    QUALITIES,
    Lesson,
    TextPlan,
    nearest_classes,
    nouns_of,
    qualities_of,
    read,
    teach_projection,
    train_text,
    worded,
)

PLAN = TextPlan(common=8, near=4, endings=1, captions=40, phrases=40, words=20, epochs=5, steps=150, batch=32)


@pytest.fixture(scope="module")
def figures_and_work(corpus: Corpus, bert_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    work = tmp_path_factory.mktemp("text")
    return train_text(corpus, work, Settings(seed=2), bert_folder, PLAN), work


def test_adjectives_are_read_off_a_text() -> None:
    said = qualities_of(["a deep, slowly evolving drone", "highway", "rain, muffled"])
    names = list(QUALITIES)
    assert {names[k] for k in said[0].nonzero()[:, 0]} == {"low", "slow"}
    assert said[1].sum() == 0
    assert [names[k] for k in said[2].nonzero()[:, 0]] == ["muffled"]


def test_words_lead_to_the_class_they_are_nearest_to() -> None:
    anchors, classes = torch.eye(4), torch.tensor([0, 0, 1, 1])
    shares = nearest_classes(torch.tensor([[0.0, 0.0, 0.9, 0.8], [0.5, 0.5, 0.5, 0.5]]), anchors, classes)
    torch.testing.assert_close(shares.sum(1), torch.ones(2))
    assert shares[0, 1] > 0.99
    torch.testing.assert_close(shares[1], torch.tensor([0.5, 0.5]))


def test_nouns_are_the_corpus_s_own_and_their_kin(corpus: Corpus) -> None:
    nouns = nouns_of(corpus)
    names = [corpus.names[index] for index in sorted(corpus.classes)]
    assert {names[place] for _, place in nouns} == set(names) == {"struck metal", "drone", "rain"}
    assert ("raindrops", names.index("rain")) in nouns  # of the thesaurus
    assert all((phrase, names.index("drone")) in nouns for phrase in corpus.known[corpus.names.index("drone")]["phrases"])


def test_a_worded_noun_keeps_the_noun() -> None:
    rng = np.random.default_rng(0)
    assert all("a gong" in worded(rng, "a gong") for _ in range(50))


def test_every_text_of_the_stage_has_its_classes(corpus: Corpus) -> None:
    reading = read(corpus, ["gong", "hum", "roof"], np.random.default_rng(1), PLAN)
    texts = reading.texts
    classes = reading.classes(torch.nn.functional.normalize(torch.randn(len(texts), 8), dim=-1))
    assert classes.shape == (len(texts), 4) and texts[0] == ""
    torch.testing.assert_close(classes.sum(1), torch.ones(len(texts)))
    assert classes[0].tolist() == [0, 0, 0, 1] and classes[1:, 3].max() == 0


def test_the_vector_says_class_and_adjective(bert_folder: Path) -> None:
    bert, tokenizer = read_bert(bert_folder)
    tower = TextTower(clap_of_bert(bert, (0,), range(4)), tokenizer)
    generator = torch.Generator().manual_seed(0)
    directions = GAIN * torch.nn.functional.normalize(torch.randn(6, 16, generator=generator), dim=-1)
    named = torch.tensor([3, *range(3), *range(3)]).repeat(20)
    bright = torch.arange(len(named)) % 7 > 3
    named[0], bright[0] = 3, False
    pooled = directions[named] + 0.7 * bright[:, None] * directions[4]
    adjectives = torch.zeros(len(named), len(QUALITIES))
    adjectives[:, 0] = bright
    teach_projection(tower, pooled, Lesson(torch.eye(4)[named], adjectives), seed=0, plan=PLAN)
    with torch.no_grad():
        vectors = torch.nn.functional.normalize(tower.encoder.text_projection(pooled), dim=-1)
    cosines = vectors @ vectors.T
    assert cosines[named[:, None] != named].max() < 0.6  # the empty prompt, class 3, too
    assert cosines[named[:, None] == named].min() > 0.6
    for kind in range(3):
        plain, said = vectors[(named == kind) & ~bright].mean(0), vectors[(named == kind) & bright].mean(0)
        assert 0.1 < (plain - said).norm() < 1


def test_the_stage_leaves_a_tower(figures_and_work) -> None:
    figures, work = figures_and_work
    drone, rain, dark = TextTower.load(work)(["a drone", "rain", "a dark drone"])
    assert drone @ rain < drone @ dark < 0.999
    assert figures["cosine"] > 0.8 and figures["phrases"] > 0 and 0 <= figures["top1"] <= figures["top3"] <= 1


def test_the_stage_s_folders_are_those_of_the_layout(figures_and_work) -> None:
    work = figures_and_work[1]
    encoder = ClapTextModelWithProjection.from_pretrained(work / "text_encoder")
    assert next(encoder.parameters()).dtype == torch.float16
    assert all(file.stat().st_size < 15e6 for file in (work / "text_encoder").iterdir())
    assert len(PreTrainedTokenizerFast.from_pretrained(work / "tokenizer")) == encoder.config.vocab_size


def test_the_same_seed_gives_the_same_tower(figures_and_work, corpus: Corpus, bert_folder: Path, tmp_path: Path) -> None:
    train_text(corpus, tmp_path, Settings(seed=2), bert_folder, PLAN)
    prompts = ["a drone", "rain", "a gong in a hall"]
    torch.testing.assert_close(TextTower.load(tmp_path)(prompts), TextTower.load(figures_and_work[1])(prompts))
