# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from server.models.embedded import networks
from server.models.embedded.networks import HOP, MAX_TOKENS, N_MELS, LogMel, tokenise
from server.models.mel import MelSpec, log_mel

CAPTIONS = ["a bowed cymbal", "church bell tolling", "rain on a roof", "glass bells and a dark drone"] * 20


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return networks.make_tokenizer(CAPTIONS, size=400)


@pytest.mark.parametrize("prompt", [
    "", " ", "glass bells", "Glocken aus Glas, äöüß", "звон колоколов", "鐘の音", "🔔" * 40, "\x00\x07\u202e", "a" * 10000,
    "\ud7ff\uffff", "ﬁne ﬂute",
])
def test_any_text_becomes_tokens(tokenizer: PreTrainedTokenizerFast, prompt: str) -> None:
    ids, mask = tokenise(tokenizer, [prompt, "rain"])
    assert ids.shape == mask.shape == (2, MAX_TOKENS)
    assert int(ids.max()) < len(tokenizer) and tokenizer.unk_token_id not in ids
    assert ids[0, 0] == tokenizer.bos_token_id
    assert ids[0, int(mask[0].sum()) - 1] == tokenizer.eos_token_id


def test_case_plays_no_part(tokenizer: PreTrainedTokenizerFast) -> None:
    ids, _ = tokenise(tokenizer, ["Church Bell ", "church bell"])
    assert torch.equal(ids[0], ids[1])


def test_padding_does_not_change_the_text_vector(tokenizer: PreTrainedTokenizerFast) -> None:
    torch.manual_seed(0)
    encoder = networks.make_text_encoder(len(tokenizer), width=16).eval()
    ids, mask = tokenise(tokenizer, ["rain on a roof"])
    n = int(mask.sum())
    with torch.no_grad():
        padded = networks.text_vector(encoder, ids, mask)
        bare = networks.text_vector(encoder, ids[:, :n], mask[:, :n])
    assert padded.norm().item() == pytest.approx(1)
    torch.testing.assert_close(padded, bare, rtol=0, atol=1e-5)


def test_the_mel_is_the_one_that_the_model_is_rendered_with() -> None:
    audio = torch.randn(2, 16000, generator=torch.Generator().manual_seed(0)) * 0.1
    ours = LogMel()(audio)
    assert ours.shape == (2, 1, 100, N_MELS)
    torch.testing.assert_close(ours[:, 0], log_mel(audio, MelSpec()), rtol=0, atol=1e-4)


def test_the_vocoder_gives_exactly_one_hop_per_frame() -> None:
    vocoder = networks.make_vocoder(np.zeros(N_MELS), np.ones(N_MELS), channels=16)
    with torch.no_grad():
        assert vocoder(torch.randn(1, 37, N_MELS)).shape == (1, 37 * HOP)


def test_the_schedule_is_the_one_in_the_folder() -> None:
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler.from_config(networks.SCHEDULER)
    torch.testing.assert_close(networks.alphas_cumprod(), scheduler.alphas_cumprod, rtol=1e-4, atol=1e-6)
