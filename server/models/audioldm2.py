# SPDX-License-Identifier: GPL-3.0-or-later
"""AudioLDM2: a UNet that attends to eight states written by GPT-2 and to the T5 states of the prompt (Liu et al. 2024).

The path of a prompt: CLAP text vector and T5 states, projected to GPT-2's width between learned marks, continued by GPT-2
for eight states. GPT-2 is run by our own loop over its hidden states, so the official folders (which hold a GPT2Model,
with which the stock pipeline fails) and folders with a language-model head behave alike.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from server.errors import ModelUnavailable
from server.models.audioldm import clap_token_limit
from server.models.base import Conditioning
from server.models.components import diffusers, load_module, load_tokenizer, transformers
from server.models.mel_backbone import MelPredictor, load_mel_parts
from server.models.prediction import pad_tokens, token_ids

LAYOUT = "audioldm2"
N_GENERATED = 8
MAX_T5_TOKENS = 512


class AudioLDM2(MelPredictor):
    """16 kHz mono. The null prompt is the encoding of the empty text."""

    def __init__(self, folder: Path, *, name: str, revision: str, device: torch.device, dtype: torch.dtype) -> None:
        _refuse_speech(folder, name)
        parts = load_mel_parts(diffusers.AudioLDM2UNet2DConditionModel, folder, device, dtype)
        super().__init__(parts, name=name, layout=LAYOUT, revision=revision, device=device, dtype=dtype)
        # The text half of the joint CLAP model is all that a prompt needs.
        self.clap = load_module(transformers.ClapTextModelWithProjection, folder, "text_encoder").to(device)
        self.t5 = load_module(transformers.T5EncoderModel, folder, "text_encoder_2").to(device)
        self.projection = load_module(diffusers.AudioLDM2ProjectionModel, folder, "projection_model").to(device)
        # GPT2Model reads both layouts: without a head as it is, with one by leaving it out.
        self.gpt2 = load_module(transformers.GPT2Model, folder, "language_model").to(device)
        self.clap_tokenizer = load_tokenizer(folder, "tokenizer")
        self.t5_tokenizer = load_tokenizer(folder, "tokenizer_2")
        self.n_generated = getattr(self.gpt2.config, "max_new_tokens", None) or N_GENERATED

    def encode_prompt(self, prompt: str | None, duration_s: float) -> dict[str, Tensor]:
        """`generated` [1, 8, width of GPT-2], `t5` [1, n, width of T5], `mask` [1, n]; duration plays no part."""
        text, name = prompt or "", self.facts.name
        clap_limit = clap_token_limit(self.clap.config, self.clap_tokenizer)
        t5_limit = min(self.t5_tokenizer.model_max_length, MAX_T5_TOKENS)
        clap_ids = token_ids(self.clap_tokenizer, text, clap_limit, name).to(self.device)
        t5_ids = token_ids(self.t5_tokenizer, text, t5_limit, name).to(self.device)
        clap = F.normalize(self.clap(clap_ids).text_embeds, dim=-1)[:, None]
        t5 = self.t5(t5_ids).last_hidden_state
        joined = self.projection(
            hidden_states=clap, hidden_states_1=t5,
            attention_mask=clap_ids.new_ones(1, 1), attention_mask_1=torch.ones_like(t5_ids),
        )
        generated = continue_states(self.gpt2, joined.hidden_states, self.n_generated)
        return {"generated": generated, "t5": t5, "mask": torch.ones_like(t5_ids)}

    def predict(self, x: Tensor, time: Tensor, conditionings: Sequence[Conditioning]) -> Tensor:
        n_tokens = max(c.tensors["t5"].shape[1] for c in conditionings)
        generated = torch.cat([c.tensors["generated"] for c in conditionings])
        t5 = torch.cat([pad_tokens(c.tensors["t5"], n_tokens) for c in conditionings])
        mask = torch.cat([pad_tokens(c.tensors["mask"], n_tokens) for c in conditionings])
        return self.network(
            x.to(self.dtype), time, encoder_hidden_states=generated.to(self.dtype),
            encoder_hidden_states_1=t5.to(self.dtype), encoder_attention_mask_1=mask, return_dict=False,
        )[0]


def continue_states(gpt2: nn.Module, states: Tensor, n_new: int) -> Tensor:
    """The `n_new` hidden states [batch, n_new, width] that GPT-2 writes behind `states` [batch, n, width]."""
    for _ in range(n_new):
        hidden = gpt2(inputs_embeds=states, use_cache=False).last_hidden_state
        states = torch.cat([states, hidden[:, -1:]], dim=1)
    return states[:, -n_new:]


def _refuse_speech(folder: Path, name: str) -> None:
    encoder = json.loads((folder / "model_index.json").read_text(encoding="utf-8")).get("text_encoder_2", [None, None])[1]
    if encoder != "T5EncoderModel":
        raise ModelUnavailable(
            f"{name} has the text encoder {encoder}: a speech checkpoint, which reads transcripts and not prompts. "
            "Use cvssp/audioldm2, audioldm2-large or audioldm2-music."
        )
