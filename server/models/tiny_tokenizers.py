# SPDX-License-Identifier: GPL-3.0-or-later
"""The two tokenizers that the models read with, at toy size: their real classes over a vocabulary of single characters."""

from __future__ import annotations

import string

from transformers import RobertaTokenizer, T5Tokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode


def roberta_tokenizer(max_length: int) -> RobertaTokenizer:
    """Byte-level tokenizer of the CLAP text towers: one token per byte; <s>, <pad>, </s>, <unk> are 0 to 3."""
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *sorted(bytes_to_unicode().values()), "<mask>"]
    vocab = {token: index for index, token in enumerate(tokens)}
    return RobertaTokenizer(vocab=vocab, merges=[], model_max_length=max_length)


def t5_tokenizer(max_length: int) -> T5Tokenizer:
    """Unigram tokenizer of the T5 encoders: one token per character; <pad>, </s>, <unk> are 0 to 2."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(character, -3.0) for character in string.ascii_letters + string.digits + string.punctuation]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=max_length)
