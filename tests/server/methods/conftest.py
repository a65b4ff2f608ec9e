# SPDX-License-Identifier: GPL-3.0-or-later
"""A backbone with exact answers: latents are samples, and the data is a normal distribution, whose denoiser is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from server.audio import Clip
from server.methods.context import Context, Progress
from server.models.base import Backbone, BackboneFacts, Conditioning, Schedule
from server.sampling.levels import (
    Level,
    Levels,
    levels_even_in_snr,
    levels_from_alphas_cumprod,
    scaled_linear_alphas_cumprod,
)

HOP = 100


class GaussianBackbone(Backbone):
    """Data ~ N(mean, 0.25); the prompt sets the mean. Mono, 4 kHz, latents [1, frames, HOP]. Counts what it evaluates."""

    def __init__(self) -> None:
        self.facts = BackboneFacts("gaussian", "test", "r1", 4000, 1, 4000 / HOP, 10.24)
        self.device, self.dtype = torch.device("cpu"), torch.float32
        self.network = torch.nn.Sequential(torch.nn.Linear(HOP, HOP))
        torch.nn.init.zeros_(self.network[0].weight)
        torch.nn.init.zeros_(self.network[0].bias)
        self.rows: list[int] = []
        self.keys: set[str] = set()

    @property
    def evaluations(self) -> int:
        return sum(self.rows)

    def levels(self, n_steps: int, schedule: Schedule = "model") -> Levels:
        power = scaled_linear_alphas_cumprod(0.0015, 0.0195)
        return levels_even_in_snr(power, n_steps) if schedule == "even" else levels_from_alphas_cumprod(power, n_steps)

    def latent_shape(self, n_samples: int) -> tuple[int, ...]:
        return (1, -(-n_samples // HOP), HOP)

    def encode(self, audio: torch.Tensor) -> torch.Tensor:
        _, frames, _ = self.latent_shape(audio.shape[-1])
        padded = torch.nn.functional.pad(audio, (0, frames * HOP - audio.shape[-1]))
        return padded.reshape(len(audio), 1, frames, HOP)

    def decode(self, latents: torch.Tensor, n_samples: int) -> torch.Tensor:
        return latents.reshape(len(latents), 1, -1)[..., :n_samples]

    def condition(self, prompt: str | None, duration_s: float) -> Conditioning:
        return Conditioning(repr(prompt), {"mean": torch.tensor(0.0 if prompt is None else len(prompt) / 100.0)})

    def denoise(self, x: torch.Tensor, level: Level, conditionings: Sequence[Conditioning]) -> torch.Tensor:
        assert len(x) == len(conditionings)
        self.rows.append(len(x))
        self.keys |= {c.key for c in conditionings}
        alpha, sigma = level.factors(x)
        mean = torch.stack([c.tensors["mean"] for c in conditionings]).reshape(-1, 1, 1, 1)
        variance = 0.25
        gain = alpha * variance / (alpha**2 * variance + sigma**2)
        return mean + gain * (x - alpha * mean) + self.network(x)


@pytest.fixture
def backbone() -> GaussianBackbone:
    return GaussianBackbone()


@pytest.fixture
def steps() -> list[Progress]:
    """Every progress report of the context, in order."""
    return []


@pytest.fixture
def context(backbone: GaussianBackbone, steps: list[Progress], tmp_path: Path) -> Context:
    digests = {"original": "0" * 64, "reference": "1" * 64, "clip": "1" * 64}
    return Context("a job", digests, tmp_path, lambda name: backbone, steps.append)


@pytest.fixture
def noise_clip() -> Callable[..., Clip]:
    """A clip of band-limited noise with a swell: `noise_clip(seconds, sample_rate, channels, seed)`."""

    def make(seconds: float = 1.0, sample_rate: int = 4000, channels: int = 1, seed: int = 0) -> Clip:
        n = round(seconds * sample_rate)
        noise = np.random.default_rng(seed).normal(size=(channels, n))
        return Clip(0.1 * noise * np.sin(np.pi * np.arange(n) / n), sample_rate)

    return make
