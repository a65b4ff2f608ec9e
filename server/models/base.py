# SPDX-License-Identifier: GPL-3.0-or-later
"""Backbone: the one interface that every diffusion model is brought to.

A backbone hides three things that differ between models: how audio becomes latents, how text becomes conditioning, and
what the network predicts. Everything above sees latents of about unit deviation in variance-preserving coordinates
(`x_t = alpha x0 + sigma e`, alpha^2 + sigma^2 = 1) and a network that answers with its estimate of x0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from server.sampling.levels import Level, Levels

Schedule = Literal["even", "model"]


@dataclass(frozen=True)
class FusionWindow:
    """Where `fuse` may let the original step in, as SNR in dB: below `low_db` the original is hardly heard, above `high_db`
    the reference; `usual_db` is nearer to the reference (measured by server/measure/fusion_window.py).

    The values given here are those of trained networks.
    """

    low_db: float = -23.0
    high_db: float = -2.0
    usual_db: float = -18.0


@dataclass(frozen=True)
class BackboneFacts:
    """What never changes about a loaded model; read from its configs alone.

    name: as the user asked for it; layout: adapter name; revision: what identifies the weights (hub commit, or hash of
    a folder); sample_rate in Hz; channels of the audio it makes; latent_hz: latent frames per second; max_s: longest
    clip it renders in one window, seconds; guidance: the weight of the prompt that suits the model; fusion: its window of
    levels for `fuse`; methods: the only ones that it can be used for (None: all); sampler: how `generate` walks it from
    noise to sound, by the solver that was asked for or by leaps to x0 and back (`server.sampling.ping_pong`);
    licence: of the weights.
    """

    name: str
    layout: str
    revision: str
    sample_rate: int
    channels: int
    latent_hz: float
    max_s: float
    guidance: float = 4.0
    fusion: FusionWindow = FusionWindow()
    methods: frozenset[str] | None = None
    sampler: Literal["solver", "ping_pong"] = "solver"
    licence: str = "unknown"


@dataclass(frozen=True)
class Conditioning:
    """One prompt as the network reads it: tensors of batch 1, immutable, so that it can be cached by `key`."""

    key: str
    tensors: Mapping[str, Tensor]


class Backbone(ABC):
    """A diffusion model with its autoencoder and text encoder.

    All tensors are float32 on `device`; only `denoise` may run the network in `dtype`.
    """

    facts: BackboneFacts
    device: torch.device
    dtype: torch.dtype
    network: nn.Module  # the denoiser itself: what a LoRA is injected into and `learn` trains
    denoises_frames: int | None = None  # latent frames that `denoise` takes at once, where they are more than max_s has

    @abstractmethod
    def levels(self, n_steps: int, schedule: Schedule = "model") -> Levels:
        """Noise levels in `n_steps` steps, noisiest first (VP coordinates).

        Args:
            schedule: "model" picks the levels that the model's own scheduler picks (what published figures refer to);
                "even" spreads the model's range evenly in SNR and ends at sigma 0, which few steps of order 2 need.

        Raises:
            InvalidOption: a number of steps that the schedule does not have.
        """

    @abstractmethod
    def latent_shape(self, n_samples: int) -> tuple[int, ...]:
        """Shape of one item's latents for a clip of `n_samples` at the model's rate, without the batch axis."""

    @abstractmethod
    def encode(self, audio: Tensor) -> Tensor:
        """Latents [batch, *latent_shape(time)] of audio [batch, channels, time] at the model's rate and channel count.

        Posterior mode, never a sample. Audio is padded with silence at the end to a whole latent frame.
        """

    @abstractmethod
    def decode(self, latents: Tensor, n_samples: int) -> Tensor:
        """Audio [batch, channels, n_samples] of latents; differentiable with respect to them."""

    def decode_stereo(self, latents: Tensor, n_samples: int) -> Tensor:
        """As `decode`, in stereo [batch, 2, n_samples] where a mono model has a way to make it."""
        return self.decode(latents, n_samples)

    def decode_draft(self, latents: Tensor, n_samples: int) -> Tensor:
        """As `decode`, quicker and rougher where a model has a way: what a guided step differentiates."""
        return self.decode(latents, n_samples)

    @property
    def reach(self) -> int | None:
        """Latent frames to each side that a sample hears of when decoded; None where it may hear of all of them."""
        return None

    @abstractmethod
    def condition(self, prompt: str | None, duration_s: float) -> Conditioning:
        """Conditioning of a prompt for a clip of `duration_s`; None is the null prompt that training dropped to."""

    @abstractmethod
    def denoise(self, x: Tensor, level: Level, conditionings: Sequence[Conditioning]) -> Tensor:
        """Estimate of x0, same shape as `x`, float32.

        Args:
            x: noisy latents in VP coordinates, [batch, ...], float32.
            level: one level for the whole batch (scalars) or one per item ([batch]).
            conditionings: one per item.
        """


class Remembering(Backbone):
    """A backbone that learns a clip at once, by keeping something of it, instead of training its network."""

    @abstractmethod
    def remember(self, latents: Tensor) -> dict[str, Tensor]:
        """What is kept of one clip, of its latents without the batch axis: tensors on the CPU."""

    @abstractmethod
    def recalling(self, memory: Mapping[str, Tensor]) -> AbstractContextManager[None]:
        """While the context lasts, the model makes its sounds of what `remember` gave; one memory at a time."""
