"""Which word pieces of a large vocabulary a small tower keeps: those of its texts, the common and the near ones."""

from collections.abc import Sequence

from torch import Tensor
from transformers import BertModel, PreTrainedTokenizerFast

from .text_tower import SPECIAL, sentence_vectors

LAST_LETTER = 0x52F  # Latin, Greek and Cyrillic; the encoder read English, and no other script means anything to it


def is_letter(piece: str) -> bool:
    """A single character, at the start of a word or, with its `##`, inside one, that is kept whatever else is."""
    bare = piece.removeprefix("##")
    return len(bare) == 1 and (ord(bare) <= LAST_LETTER or 0x2010 <= ord(bare) <= 0x203A)


def is_word(piece: str) -> bool:
    """A whole English word."""
    return len(piece) > 1 and piece.isascii() and piece.isalpha()


def in_order(tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """All pieces by their id; a BERT's are sorted by frequency behind its characters."""
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


def nearness(bert: BertModel, tokenizer: PreTrainedTokenizerFast, words: Sequence[str], texts: Sequence[str]) -> Tensor:
    """Per word, the mean cosine to its three nearest texts, `[words]`."""
    cosines = sentence_vectors(bert, tokenizer, words) @ sentence_vectors(bert, tokenizer, texts).T
    return cosines.topk(min(3, len(texts)), 1).values.mean(1)


def keep(bert: BertModel, tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], common: int, near: int,
         endings: int) -> tuple[list[int], list[str]]:
    """Ids to keep, the special ones first and then rising, and the whole words among them, nearest to the texts first.

    Kept are all letters, all pieces of `texts`, the `common` commonest whole words, the `near` whole words of the rest
    that are nearest to a text in the encoder's own meaning, and the `endings` commonest pieces inside words.
    """
    pieces = in_order(tokenizer)
    words = [i for i, piece in enumerate(pieces) if is_word(piece)]
    score = nearness(bert, tokenizer, [pieces[i] for i in words], texts)
    by_nearness = [words[place] for place in score.argsort(descending=True).tolist()]
    inside = [i for i, piece in enumerate(pieces) if piece.startswith("##") and piece[2:].isascii() and len(piece) > 3]
    kept = {i for i, piece in enumerate(pieces) if is_letter(piece)}
    kept |= {i for row in tokenizer(list(texts))["input_ids"] for i in row} | set(words[:common]) | set(inside[:endings])
    rest = [i for i in by_nearness if i not in kept]
    kept |= set(rest[:near])
    special = [pieces.index(piece) for piece in SPECIAL]
    return special + sorted(kept - set(special)), [pieces[i] for i in by_nearness if i in kept]
