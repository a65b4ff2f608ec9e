# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import BertModel, PreTrainedTokenizerFast

from server.models.embedded.text_tower import (
    MAX_TOKENS,
    SPECIAL,
    TEXT_DIMENSION,
    TextTower,
    clap_of_bert,
    make_tokenizer,
    read_bert,
    sentence_vectors,
)
from server.models.embedded.wordpieces import in_order

TEXTS = ("", "a dark drone", "heavy rain on the roof, dull", "gongs")


@pytest.fixture(scope="module")
def bert(bert_folder: Path) -> tuple[BertModel, PreTrainedTokenizerFast]:
    return read_bert(bert_folder)


def pruned(bert: tuple[BertModel, PreTrainedTokenizerFast], layers: tuple[int, ...],
           without: frozenset[str] = frozenset()) -> TextTower:
    pieces = in_order(bert[1])
    kept = [pieces.index(piece) for piece in SPECIAL]
    kept += [k for k, piece in enumerate(pieces) if k not in kept and piece not in without]
    torch.manual_seed(1)
    return TextTower(clap_of_bert(bert[0], layers, kept), make_tokenizer([pieces[k] for k in kept]))


@pytest.mark.parametrize("text", TEXTS)
def test_in_the_clap_layout_the_hidden_states_are_the_bert_s(bert, text: str) -> None:
    tower = pruned(bert, tuple(range(6)), without=frozenset({"[MASK]", "wall", "bright"}))
    old = bert[1](text, return_tensors="pt")["input_ids"]
    new = tower.tokenizer(text, return_tensors="pt")["input_ids"]
    assert old.tolist() != new.tolist() or not text
    with torch.no_grad():
        hidden = tower.encoder(new).last_hidden_state
        torch.testing.assert_close(hidden, bert[0](old).last_hidden_state, rtol=1e-4, atol=1e-5)


def test_the_layers_asked_for_are_the_ones_that_stay(bert) -> None:
    tower = pruned(bert, (0, 4))
    for new, old in enumerate((0, 4)):
        kept = tower.encoder.text_model.encoder.layer[new].attention.self.query.weight
        torch.testing.assert_close(kept, bert[0].encoder.layer[old].attention.self.query.weight)


def test_a_piece_keeps_its_own_embedding(bert) -> None:
    tower = pruned(bert, (0,), without=frozenset({"[MASK]", "the", "of"}))
    old, new = bert[1].get_vocab(), tower.tokenizer.get_vocab()
    table = tower.encoder.text_model.embeddings.word_embeddings.weight
    assert len(table) == len(new) == len(old) - 3 and set(new) < set(old)
    for piece, place in new.items():
        torch.testing.assert_close(table[place], bert[0].embeddings.word_embeddings.weight[old[piece]])


@pytest.mark.parametrize("text", [
    "", " ", "glass bells", "Glocken aus Glas, äöüß", "звон колоколов", "鐘の音", "🔔" * 40, "\x00\x07\u202e", "a" * 10000,
    "\ud7ff\uffff", "ﬁne ﬂute", "[CLS] [PAD] ##ing",
])
def test_any_text_becomes_tokens(bert, text: str) -> None:
    tower = pruned(bert, (0,))
    ids = tower.tokenizer(text, truncation=True)["input_ids"]
    assert ids[0] == 2 and 3 in ids and len(ids) <= MAX_TOKENS and max(ids) < len(tower.tokenizer)
    vector = tower([text])
    assert vector.shape == (1, TEXT_DIMENSION) and vector.norm().item() == pytest.approx(1, abs=1e-5)


def test_case_and_accents_play_no_part(bert) -> None:
    tokenizer = pruned(bert, (0,)).tokenizer
    assert tokenizer("Dárk DRONE ")["input_ids"] == tokenizer("dark drone")["input_ids"]


def test_text_is_cut_at_the_tokenizer_s_limit_and_not_before(bert) -> None:
    tower = pruned(bert, (0, 5))
    assert tower.tokenizer.model_max_length == MAX_TOKENS
    whole, longer = " ".join(["rain"] * 126), " ".join(["rain"] * 126 + ["gong"])
    assert len(tower.tokenizer(whole)["input_ids"]) == MAX_TOKENS
    short, full, cut = tower([" ".join(["rain"] * 125), whole, longer])
    torch.testing.assert_close(full, cut)
    assert not torch.allclose(short, full, atol=1e-6)


def test_padding_does_not_change_the_vector(bert) -> None:
    tower = pruned(bert, (0, 5))
    batch = tower.tokenizer(list(TEXTS), padding="max_length", return_tensors="pt")
    assert batch["input_ids"].shape == (len(TEXTS), MAX_TOKENS) and set(batch) == {"input_ids", "attention_mask"}
    with torch.no_grad():
        padded = torch.nn.functional.normalize(tower.encoder(**batch).text_embeds, dim=-1)
    torch.testing.assert_close(tower(TEXTS), padded, rtol=1e-4, atol=1e-5)


def test_a_saved_tower_says_the_same(bert, tmp_path: Path) -> None:
    tower = pruned(bert, (0, 5))
    tower.save(tmp_path)
    torch.testing.assert_close(TextTower.load(tmp_path)(TEXTS), tower(TEXTS), rtol=0, atol=5e-3)


def test_sentence_vectors_are_the_means_of_all_tokens(bert) -> None:
    batch = bert[1](list(TEXTS), padding=True, return_tensors="pt")
    mask = batch["attention_mask"][..., None]
    with torch.no_grad():
        hidden = bert[0](batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
    wanted = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
    torch.testing.assert_close(sentence_vectors(*bert, TEXTS), wanted, rtol=1e-4, atol=1e-5)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"all-MiniLM-L6-v2"):
        read_bert(tmp_path)
