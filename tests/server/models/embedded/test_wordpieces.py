# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

from server.models.embedded.text_tower import SPECIAL, read_bert
from server.models.embedded.wordpieces import in_order, is_letter, is_word, keep


def test_letters_and_words_are_told_from_the_rest() -> None:
    assert all(map(is_letter, ["a", "##z", "é", "##ж", "–", "7"]))
    assert not any(map(is_letter, ["ab", "##ab", "鐘", "##鐘", "##"]))
    assert is_word("gong") and not any(map(is_word, ["a", "##ing", "1842", "café"]))


def test_what_is_kept(bert_folder: Path) -> None:
    bert, tokenizer = read_bert(bert_folder)
    pieces = in_order(tokenizer)
    kept, words = keep(bert, tokenizer, ["a gong", "drone"], common=2, near=3, endings=1)
    names = [pieces[k] for k in kept]
    assert tuple(names[:4]) == SPECIAL and len(set(kept)) == len(kept) and kept[4:] == sorted(kept[4:])
    assert {"gong", "drone", "the", "of", "##ing", "q", "##q", "7"} <= set(names)
    assert "[MASK]" not in names and "##ness" not in names
    assert set(words) == {name for name in names if is_word(name)} and len(words) == 2 + 2 + 3


def test_the_words_kept_are_the_nearest(bert_folder: Path) -> None:
    bert, tokenizer = read_bert(bert_folder)
    kept, words = keep(bert, tokenizer, ["rain", "heavy rain", "heavy"], common=0, near=2, endings=0)
    more = keep(bert, tokenizer, ["rain", "heavy rain", "heavy"], common=0, near=8, endings=0)[1]
    assert len(words) == 4 and more[:2] == words[:2] and set(words) < set(more)
