# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
import torch

from server.models.embedded.augment import Mixing, Sampler
from server.models.embedded.corpus import Corpus
from server.models.embedded.networks import make_text_encoder, make_tokenizer, text_vector, tokenise
from server.models.embedded.train_text import class_shares, teach_text
from server.models.embedded.vocabulary import CLASSES, NAMES


@pytest.fixture(scope="module")
def sampler(corpus: Corpus) -> Sampler:
    return Sampler(corpus, corpus.of_split("train"), Mixing(two=0.3, three=0.0, drop=0.1))


def test_shares_follow_the_captions(sampler: Sampler) -> None:
    draw = sampler.draw(np.random.default_rng(0), 64)
    classes = sorted(sampler.corpus.classes)
    shares = class_shares(draw, sampler, classes)
    torch.testing.assert_close(shares.sum(1), torch.ones(64))
    for share, caption in zip(shares, draw.captions, strict=True):
        named = [NAMES[index] for index, part in zip(classes, share, strict=True) if part > 0]
        assert len(named) == 3 if not caption else len(named) <= 2
        for name in named if caption else []:
            assert any(phrase.split()[-1] in caption for phrase in (*CLASSES[NAMES.index(name)].phrases, name))


def test_a_taught_tower_tells_the_classes_apart(sampler: Sampler) -> None:
    phrases = [phrase for index in sorted(sampler.corpus.classes) for phrase in CLASSES[index].phrases]
    tokenizer = make_tokenizer(phrases, size=400)
    torch.manual_seed(0)
    tower = make_text_encoder(len(tokenizer), width=32)
    with torch.no_grad():
        before = text_vector(tower, *tokenise(tokenizer, ["a dark drone", "light rain"]))
    teach_text(tower, tokenizer, sampler, seed=0, steps=60, batch=16)
    with torch.no_grad():
        after = text_vector(tower, *tokenise(tokenizer, ["a dark drone", "light rain"]))
    assert float(before[0] @ before[1]) > 0.95
    assert float(after[0] @ after[1]) < 0.6
