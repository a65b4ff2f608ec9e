# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from transformers import AutoTokenizer

from server.models.embedded.text_tower import SPECIAL, TEXT_DIMENSION
from server.models.embedded.waveform.text_states import MAX_TOKENS, PROJECTION, TextStates, make_encoder, short_tokenizer

WORDS = ("a", "dark", "drone", "rain", "gong", "bells", "glass")
PROMPTS = ["", "rain", "a dark drone", "glass bells a gong rain", " ".join(["rain"] * 40)]


@pytest.fixture(scope="module")
def text() -> TextStates:
    """An encoder that was never taught."""
    torch.manual_seed(0)
    pieces = [*SPECIAL, *WORDS]
    return TextStates(make_encoder(len(pieces)), nn.Linear(256, TEXT_DIMENSION), short_tokenizer(pieces))


def test_states_are_zero_behind_a_prompt_s_tokens(text: TextStates) -> None:
    states, mask = text(PROMPTS)
    assert states.shape == (len(PROMPTS), MAX_TOKENS, TEXT_DIMENSION) and mask.dtype == torch.bool
    assert mask.sum(1).tolist() == [2, 3, 5, 7, MAX_TOKENS]  # the two marks, and the words
    assert not states[~mask].any() and states[mask].any(1).all()


def test_padding_and_neighbours_play_no_part(text: TextStates) -> None:
    states, _ = text(PROMPTS)
    for prompt, row in zip(PROMPTS[:4], states, strict=False):
        ids = text.tokenizer(prompt, return_tensors="pt").input_ids
        with torch.no_grad():
            alone = text.projection(text.encoder(ids).last_hidden_state)[0]
        torch.testing.assert_close(row[:len(alone)], alone, rtol=1e-4, atol=1e-5)


def test_vectors_are_means_of_the_tokens(text: TextStates) -> None:
    states, mask = text(PROMPTS)
    wanted = torch.stack([row[own].mean(0) for row, own in zip(states, mask, strict=True)])
    torch.testing.assert_close(text.vectors(PROMPTS), wanted / wanted.norm(dim=1, keepdim=True))


def test_what_is_saved_in_half_precision_says_the_same(text: TextStates, tmp_path: Path) -> None:
    text.save(tmp_path)
    assert {t.dtype for t in load_file(tmp_path / "text_encoder" / "model.safetensors").values()} == {torch.float16}
    assert {t.dtype for t in load_file(tmp_path / PROJECTION).values()} == {torch.float16}
    again = TextStates.load(tmp_path)
    assert {p.dtype for part in (again.encoder, again.projection) for p in part.parameters()} == {torch.float32}
    torch.testing.assert_close(again(PROMPTS)[0], text(PROMPTS)[0], rtol=0, atol=5e-3)


def test_the_saved_tokenizer_pads_with_zeros_to_its_limit(text: TextStates, tmp_path: Path) -> None:
    text.save(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
    assert (tokenizer.model_max_length, tokenizer.pad_token_id) == (MAX_TOKENS, 0)
    ids = tokenizer("rain", padding="max_length", return_tensors="pt").input_ids
    assert ids[0].tolist() == [2, 7, 3] + [0] * 29


def test_a_folder_without_an_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="text_encoder"):
        TextStates.load(tmp_path)
