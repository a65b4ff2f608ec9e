# SPDX-License-Identifier: GPL-3.0-or-later
"""AudioLDM: a UNet conditioned on one normalised CLAP text vector, given as its class label (Liu et al. 2023).

The embedded model has this layout too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from server.models.base import Conditioning
from server.models.components import diffusers, load_module, load_tokenizer, transformers
from server.models.mel_backbone import MelPredictor, load_mel_parts
from server.models.prediction import token_ids

LAYOUT = "audioldm"
# As its own pipeline has it. The embedded model's clips of one prompt differ by a sixth more than with 4, and are heard as
# what was asked for as often (`athanor evaluate --parts agreement variety`).
GUIDANCE = 2.5


class AudioLDM(MelPredictor):
    """16 kHz mono. The null prompt is the encoding of the empty text."""

    layout = LAYOUT
    guidance = GUIDANCE

    def __init__(self, folder: Path, *, name: str, revision: str, device: torch.device, dtype: torch.dtype) -> None:
        parts = load_mel_parts(diffusers.UNet2DConditionModel, folder, device, dtype)
        super().__init__(parts, name=name, layout=self.layout, revision=revision, device=device, dtype=dtype)
        self.facts = replace(self.facts, guidance=self.guidance)
        self.text_encoder = load_module(transformers.ClapTextModelWithProjection, folder, "text_encoder").to(device)
        self.tokenizer = load_tokenizer(folder, "tokenizer")

    def encode_prompt(self, prompt: str | None, duration_s: float) -> dict[str, Tensor]:
        """`label`: the unit text vector [1, width]; duration plays no part."""
        return {"label": clap_label(self.text_encoder, self.tokenizer, prompt or "", self.facts.name)}

    def predict(self, x: Tensor, time: Tensor, conditionings: Sequence[Conditioning]) -> Tensor:
        labels = torch.cat([c.tensors["label"] for c in conditionings])
        return self.network(
            x.to(self.dtype), time, encoder_hidden_states=None, class_labels=labels.to(self.dtype), return_dict=False
        )[0]


def clap_label(encoder: Any, tokenizer: Any, prompt: str, name: str) -> Tensor:
    """The unit text vector [1, width] of a prompt, on the encoder's device. Raises InvalidOption if it is too long."""
    ids = token_ids(tokenizer, prompt, clap_token_limit(encoder.config, tokenizer), name)
    return F.normalize(encoder(ids.to(encoder.device)).text_embeds, dim=-1)


def clap_token_limit(config, tokenizer) -> int:
    """Tokens that a CLAP text tower reads: its positions start behind the padding index."""
    return min(tokenizer.model_max_length, config.max_position_embeddings - config.pad_token_id - 1)
