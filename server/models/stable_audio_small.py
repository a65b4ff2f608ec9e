# SPDX-License-Identifier: GPL-3.0-or-later
"""Stable Audio Open Small: the transformer of Stable Audio, distilled to render in eight steps (Novack et al. 2025, ARC).

It moves on a straight line, x_t = (1 - t) x0 + t e, and answers with u = e - x0. Its variance-preserving state is
x_t / sqrt((1 - t)^2 + t^2), so alpha + sigma of a level is 1 / sqrt((1 - t)^2 + t^2), and x0 = x_t - t u. It is sampled by
leaping to x0 and noising anew (`server.sampling.ping_pong`), without guidance. Such a network answers with a finished
sound, not with the mean of all that are possible, so nothing that inverts or measures it makes sense: `generate` alone.

The published files are in another layout; `server.models.convert` makes a folder of them: that of Stable Audio, without
scheduler, and `projection_model` knows the length alone (its start is never asked).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path

import torch
from torch import Tensor, nn

from server.errors import InvalidOption
from server.models.base import Conditioning, Schedule
from server.models.catalogue import METHODS_OF_LAYOUT
from server.models.components import diffusers
from server.models.stable_audio import StableAudio, Window
from server.sampling.levels import Level, Levels

LAYOUT = "stable_audio_small"
CLEANEST_LOG_SNR, NOISIEST_LOG_SNR = 2.0, -6.0  # of the published schedule, as log((1 - t) / t)


class NormedTransformer(diffusers.StableAudioDiTModel):
    """Stable Audio's transformer with a layer norm on the queries and keys of every head."""

    @wraps(diffusers.StableAudioDiTModel.__init__)  # its parameters are what diffusers reads a config by
    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        width = self.config.attention_head_dim
        for block in self.transformer_blocks:
            for attention in (block.attn1, block.attn2):
                attention.norm_q, attention.norm_k = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))


class StableAudioSmall(StableAudio):
    """44.1 kHz stereo, up to 11.9 s. The null prompt is all-zero tokens; the global timing state stays."""

    network_class = NormedTransformer

    def __init__(
        self, folder: Path, *, name: str, revision: str, device: torch.device, dtype: torch.dtype, window: Window = "full"
    ) -> None:
        super().__init__(folder, name=name, revision=revision, device=device, dtype=dtype, window=window)
        self.facts = replace(
            self.facts, layout=LAYOUT, guidance=1.0, methods=METHODS_OF_LAYOUT[LAYOUT], sampler="ping_pong"
        )

    def _load_schedule(self, folder: Path, name: str) -> None:
        """The schedule is the adapter's own: the folder holds none."""

    def levels(self, n_steps: int, schedule: Schedule = "model") -> Levels:
        """Even in log SNR from pure noise to clean, the ends set to exactly these. Raises InvalidOption below one step."""
        if n_steps < 1:
            raise InvalidOption(f"n_steps is {n_steps}; it must be 1 or more.")
        t = torch.sigmoid(-torch.linspace(NOISIEST_LOG_SNR, CLEANEST_LOG_SNR, n_steps + 1, dtype=torch.float64))
        t[0], t[-1] = 1.0, 0.0
        length = torch.hypot(1.0 - t, t)
        return Levels((1.0 - t) / length, t / length, t)

    def encode_prompt(self, prompt: str | None, duration_s: float) -> dict[str, Tensor]:
        """`tokens` [1, text tokens + 1, width] and `timing` [1, 1, width] of a clip of `duration_s` seconds."""
        timing = self.projection(end_seconds=torch.tensor([duration_s], device=self.device)).seconds_end_hidden_states
        tokens = torch.cat([self._text_states(prompt or ""), timing], dim=1)
        return {"tokens": torch.zeros_like(tokens) if prompt is None else tokens, "timing": timing}

    def denoise(self, x: Tensor, level: Level, conditionings: Sequence[Conditioning]) -> Tensor:
        """Estimate of x0, float32, same shape as `x` [batch, ...]; `level` for all (scalars) or one per item ([batch])."""
        alpha, sigma = level.factors(x)
        state = x / (alpha + sigma)
        return state - sigma / (alpha + sigma) * self._answer(state, level, conditionings)
