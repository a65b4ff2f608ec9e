# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded numbers, and one sound by diffusers' own pipeline and by us."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import StableAudioPipeline

from server.models.base import Backbone
from server.models.components import building
from server.sampling.guide import guided
from server.sampling.noise import GivenNoise
from server.sampling.solve import State, solve


@pytest.fixture
def normal() -> Callable[..., torch.Tensor]:
    """`normal(*shape, seed=0)`: seeded normal numbers, float32."""

    def draw(*shape: int, seed: int = 0) -> torch.Tensor:
        return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))

    return draw


@pytest.fixture(scope="session")
def by_diffusers_and_by_us() -> Callable[..., tuple[torch.Tensor, torch.Tensor]]:
    """`by_diffusers_and_by_us(folder, backbone, prompt, seconds)`: one sound of a Stable Audio folder from the same noise,
    `[1, 2, time]` by diffusers' own pipeline, and by the backbone loaded from that folder. With `frames`, the pipeline
    decodes no more than these, where its whole window would take long."""

    def both(folder: Path, backbone: Backbone, prompt: str, seconds: float, n_steps: int = 8, scale: float = 7.0,
             frames: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        with building():
            pipeline = StableAudioPipeline.from_pretrained(folder, dtype=torch.float32)
        pipeline.set_progress_bar_config(disable=True)
        shape = backbone.latent_shape(1)
        x = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))
        if frames:
            decode = pipeline.vae.decode
            pipeline.vae.decode = lambda latents: decode(latents[..., :frames])
        theirs = pipeline(prompt, audio_end_in_s=seconds, num_inference_steps=n_steps, guidance_scale=scale, latents=x,
                          generator=torch.Generator().manual_seed(3)).audios
        scheduler, sigmas = pipeline.scheduler, pipeline.scheduler.sigmas
        noise = GivenNoise({i: scheduler.noise_sampler(sigmas[i], sigmas[i + 1]) for i in range(n_steps - 1)})
        denoise = guided(backbone, [backbone.condition(prompt, seconds)], [backbone.condition(None, seconds)], scale)
        with torch.no_grad():
            final = solve(denoise, State(x), backbone.levels(n_steps), noise=noise, solver="sde", order=2, form="midpoint")
            return theirs, backbone.decode(final.x, theirs.shape[-1])

    return both
