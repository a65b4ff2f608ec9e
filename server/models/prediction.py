# SPDX-License-Identifier: GPL-3.0-or-later
"""What a network predicts, and x0 of it: noise, velocity or the signal itself, in variance-preserving coordinates.

With x = alpha x0 + sigma e: epsilon is e, v_prediction is v = alpha e - sigma x0, sample is x0. Here is also how prompts
are encoded once and kept.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor

from server.errors import InvalidOption
from server.models.base import Backbone, Conditioning
from server.sampling.levels import Level

Prediction = Literal["epsilon", "v_prediction", "sample"]
CACHED_PROMPTS = 256


def x0_of(raw: Tensor, x: Tensor, alpha: Tensor, sigma: Tensor, prediction: Prediction) -> Tensor:
    """x0 of a network's answer `raw` at `x` (Salimans & Ho 2022, appendix D, for the velocity)."""
    if prediction == "epsilon":
        return (x - sigma * raw) / alpha
    return alpha * x - sigma * raw if prediction == "v_prediction" else raw


class PromptedBackbone(Backbone):
    """A backbone that keeps the prompts it has encoded; adapters add `encode_prompt`."""

    def __init__(self) -> None:
        # Per instance, so that it goes when the model goes.
        self._conditioned = lru_cache(maxsize=CACHED_PROMPTS)(self._condition)

    @abstractmethod
    def encode_prompt(self, prompt: str | None, duration_s: float) -> dict[str, Tensor]:
        """The tensors of one prompt, batch 1, encoded alone: batching prompts in a text encoder changes some of them."""

    def condition(self, prompt: str | None, duration_s: float) -> Conditioning:
        """Conditioning of a prompt for a clip of `duration_s` seconds, cached; None is the null prompt.

        Raises:
            InvalidOption: the prompt is longer than the text encoder reads; nothing is cut off silently.
        """
        return self._conditioned(prompt, round(float(duration_s), 6))

    @torch.no_grad()
    def _condition(self, prompt: str | None, duration_s: float) -> Conditioning:
        key = f"{self.facts.revision}/{duration_s}/{'null' if prompt is None else 'text:' + prompt}"
        return Conditioning(key, self.encode_prompt(prompt, duration_s))


class PredictingBackbone(PromptedBackbone):
    """A backbone whose network answers in one of the three forms; adapters add `predict`."""

    prediction: Prediction

    @abstractmethod
    def predict(self, x: Tensor, time: Tensor, conditionings: Sequence[Conditioning]) -> Tensor:
        """The network's own answer, float32, at VP state `x` [batch, ...] and its `time` [batch] float32."""

    def denoise(self, x: Tensor, level: Level, conditionings: Sequence[Conditioning]) -> Tensor:
        """Estimate of x0, float32, same shape as `x` [batch, ...]; `level` for all (scalars) or one per item ([batch])."""
        alpha, sigma = level.factors(x)
        return x0_of(self._answer(x, level, conditionings), x, alpha, sigma, self.prediction)

    def _answer(self, x: Tensor, level: Level, conditionings: Sequence[Conditioning]) -> Tensor:
        assert len(conditionings) == len(x), "one conditioning per item"
        time = level.times(len(x)).to(torch.float32).to(x.device)
        return self.predict(x, time, conditionings).to(torch.float32)


def token_ids(tokenizer: Any, prompt: str, max_length: int, name: str) -> Tensor:
    """Token ids [1, n] of one prompt, unpadded, special tokens included.

    Raises:
        InvalidOption: more than `max_length` tokens.
    """
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    if ids.shape[1] > max_length:
        raise InvalidOption(f"The prompt has {ids.shape[1]} tokens; {name} reads at most {max_length}. Shorten it.")
    return ids


def pad_tokens(tokens: Tensor, n_tokens: int) -> Tensor:
    """Zeros behind the tokens [1, n, ...] up to `n_tokens`: hidden by the mask, which is padded alike."""
    missing = tokens.new_zeros(1, n_tokens - tokens.shape[1], *tokens.shape[2:])
    return torch.cat([tokens, missing], dim=1)
