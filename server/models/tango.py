# SPDX-License-Identifier: GPL-3.0-or-later
"""Tango and Tango 2: a UNet that attends to the Flan-T5 states of the prompt, velocity prediction (Ghosal et al. 2023).

The published checkpoints are pickles without a folder layout; `server.models.convert` makes a folder of them. Autoencoder
and vocoder are AudioLDM's, the noise schedule is that of Stable Diffusion 2.1. Their own code always renders 10.24 s;
here a shorter clip is computed at its own length, which the network takes, though it was trained on whole windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from server.models.base import Conditioning
from server.models.components import diffusers, load_module, load_tokenizer, transformers
from server.models.mel_backbone import MelPredictor, load_mel_parts
from server.models.prediction import pad_tokens, token_ids

LAYOUT = "tango"
MAX_TOKENS = 512
SCHEDULE = {  # of Stable Diffusion 2.1, whose repository the published configs name and the hub no longer has
    "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction", "clip_sample": False, "steps_offset": 1,
}
GUIDANCE = 3.0  # as its own `generate` has it


class Tango(MelPredictor):
    """16 kHz mono. The null prompt is the encoding of the empty text, as in its own sampling."""

    def __init__(self, folder: Path, *, name: str, revision: str, device: torch.device, dtype: torch.dtype) -> None:
        parts = load_mel_parts(diffusers.UNet2DConditionModel, folder, device, dtype)
        super().__init__(parts, name=name, layout=LAYOUT, revision=revision, device=device, dtype=dtype)
        self.facts = replace(self.facts, guidance=GUIDANCE)
        self.text_encoder = load_module(transformers.T5EncoderModel, folder, "text_encoder").to(device)
        self.tokenizer = load_tokenizer(folder, "tokenizer")

    def encode_prompt(self, prompt: str | None, duration_s: float) -> dict[str, Tensor]:
        """`tokens` [1, n, width of T5] and `mask` [1, n]; duration plays no part."""
        limit = min(self.tokenizer.model_max_length, MAX_TOKENS)
        ids = token_ids(self.tokenizer, prompt or "", limit, self.facts.name).to(self.device)
        return {"tokens": self.text_encoder(ids).last_hidden_state, "mask": torch.ones_like(ids)}

    def predict(self, x: Tensor, time: Tensor, conditionings: Sequence[Conditioning]) -> Tensor:
        n_tokens = max(c.tensors["tokens"].shape[1] for c in conditionings)
        tokens = torch.cat([pad_tokens(c.tensors["tokens"], n_tokens) for c in conditionings])
        mask = torch.cat([pad_tokens(c.tensors["mask"], n_tokens) for c in conditionings])
        return self.network(
            x.to(self.dtype), time, encoder_hidden_states=tokens.to(self.dtype), encoder_attention_mask=mask,
            return_dict=False,
        )[0]
