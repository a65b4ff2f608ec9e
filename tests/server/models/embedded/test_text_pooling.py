# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import torch

from server.models.embedded.text_pooling import (
    GAIN,
    below_the_last_layer,
    first_of_last_layer,
    start_pooler,
    teach_pooling,
)
from server.models.embedded.text_tower import TextTower, clap_of_bert, make_tokenizer, read_bert, sentence_vectors
from server.models.embedded.wordpieces import in_order

TEXTS = ["", "rain", "a gong", "heavy rain", "a dark drone", "soft hum", "struck metal", "light rain on the roof"]


def make(folder: Path) -> tuple[TextTower, torch.Tensor]:
    bert, tokenizer = read_bert(folder)
    pieces = [piece for piece in in_order(tokenizer) if piece != "[MASK]"]
    kept = [tokenizer.get_vocab()[piece] for piece in pieces]
    return TextTower(clap_of_bert(bert, (0, 2, 5), kept), make_tokenizer(pieces)), sentence_vectors(bert, tokenizer, TEXTS)


def test_the_short_way_through_the_last_layer_is_the_long_one(bert_folder: Path) -> None:
    tower, _ = make(bert_folder)
    ids = tower.tokenizer("a dark drone", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        first = first_of_last_layer(tower.encoder, below_the_last_layer(tower.encoder, ids))
        torch.testing.assert_close(first, tower.encoder(ids).last_hidden_state[:, 0], rtol=1e-4, atol=1e-5)


def test_the_pooler_starts_as_the_best_linear_map(bert_folder: Path) -> None:
    tower, _ = make(bert_folder)
    generator = torch.Generator().manual_seed(0)
    first, map_ = torch.randn(200, 16, generator=generator), torch.randn(16, 16, generator=generator)
    start_pooler(tower.encoder, first, first @ map_ / GAIN)
    torch.testing.assert_close(tower.encoder.text_model.pooler.dense(first), first @ map_, rtol=0, atol=0.05)


def test_teaching_brings_the_first_token_to_the_mean_of_all(bert_folder: Path) -> None:
    tower, wanted = make(bert_folder)
    given = teach_pooling(tower, TEXTS, wanted, seed=0, epochs=25)
    assert torch.cosine_similarity(given, wanted).mean() > 0.8
    ids = tower.tokenizer(TEXTS[4], return_tensors="pt")["input_ids"]
    torch.testing.assert_close(tower.encoder.text_model(ids).pooler_output[0], given[4], rtol=1e-4, atol=1e-5)
    assert not any(parameter.requires_grad for parameter in tower.encoder.parameters())
