# SPDX-License-Identifier: GPL-3.0-or-later
"""Stable Audio Open: a transformer over Oobleck latents, stereo at 44.1 kHz, velocity prediction (Evans et al. 2024).

Its own coordinates are EDM's (x0 + s e, s from 500 to 0.3, then 0); brought to variance-preserving ones the network's
input needs no preconditioning at all: x_edm / sqrt(1 + s^2) is what it reads, and its answer is the velocity.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from server.errors import ModelUnavailable
from server.models.base import BackboneFacts, Conditioning, Schedule
from server.models.components import diffusers, load_config, load_module, load_tokenizer, transformers
from server.models.idle_units import without_idle_units
from server.models.prediction import PredictingBackbone, token_ids
from server.sampling.levels import Levels, levels_from_edm_sigmas, log_linear_edm_sigmas

LAYOUT = "stable_audio"
N_TEXT_TOKENS = 128  # where a tokenizer does not say
Window = Literal["full", "cropped"]


class StableAudio(PredictingBackbone):
    """44.1 kHz stereo. The null prompt is all-zero tokens, timing tokens included; the global timing state stays.

    window: "full" denoises the whole window that the model was trained on (1024 frames, 47.55 s) however short the clip,
    with silence behind it, as the model's own pipeline does; "cropped" only the frames of the clip, at a fraction of
    the cost and off the trained path.
    """

    prediction = "v_prediction"
    network_class: type[nn.Module] = diffusers.StableAudioDiTModel

    def __init__(
        self, folder: Path, *, name: str, revision: str, device: torch.device, dtype: torch.dtype, window: Window = "full"
    ) -> None:
        super().__init__()
        self.device, self.dtype, self.window = device, dtype, window
        network = load_module(self.network_class, folder, "transformer")
        self.network = _to_precision(network, dtype).to(device)
        self.vae = without_idle_units(load_module(diffusers.AutoencoderOobleck, folder, "vae")).to(device)
        self.text_encoder = load_module(transformers.T5EncoderModel, folder, "text_encoder").to(device)
        self.projection = load_module(diffusers.StableAudioProjectionModel, folder, "projection_model").to(device)
        self.tokenizer = load_tokenizer(folder, "tokenizer")
        self._load_schedule(folder, name)
        rate, hop = self.vae.config.sampling_rate, self.vae.hop_length
        self.facts = BackboneFacts(
            name=name, layout=LAYOUT, revision=revision, sample_rate=rate, channels=self.vae.config.audio_channels,
            latent_hz=rate / hop, max_s=self.network.config.sample_size * hop / rate,
        )
        self._rotary = lru_cache(maxsize=8)(self._build_rotary)

    def _load_schedule(self, folder: Path, name: str) -> None:
        self.scheduler = load_config(diffusers.CosineDPMSolverMultistepScheduler, folder, "scheduler")
        _check_schedule(self.scheduler.config, name)

    def levels(self, n_steps: int, schedule: Schedule = "model") -> Levels:
        """Log-linear in sigma from the config's largest to its smallest, then 0: even in SNR. Raises InvalidOption."""
        config = self.scheduler.config
        return levels_from_edm_sigmas(log_linear_edm_sigmas(n_steps, config.sigma_max, config.sigma_min))

    def latent_shape(self, n_samples: int) -> tuple[int, ...]:
        """(channels, frames): the model's window, or the clip's frames where it is longer or the window is cropped."""
        frames = math.ceil(max(n_samples, 1) / self.vae.hop_length)
        if self.window == "full":
            frames = max(frames, self.network.config.sample_size)
        return (self.network.config.in_channels, frames)

    def encode(self, audio: Tensor) -> Tensor:
        """Latents [batch, channels, frames] of audio [batch, 2, time]; posterior mode, silence behind the clip.

        Of the silence that fills the window only the beginning and the end are encoded; between them every frame is alike.
        """
        assert audio.ndim == 3 and audio.shape[1] == self.facts.channels, "audio [batch, channels, time]"
        n_frames, hop = self.latent_shape(audio.shape[-1])[1], self.vae.hop_length
        quiet = math.ceil(max(audio.shape[-1], 1) / hop) + self.reach  # this frame hears neither the clip nor the end
        encoded = min(n_frames, quiet + self.reach + 1)
        padded = F.pad(audio.to(self.device, torch.float32), (0, encoded * hop - audio.shape[-1]))
        latents = self.vae.encode(padded).latent_dist.mode()
        alike = latents[..., quiet : quiet + 1].repeat(1, 1, n_frames - encoded)
        return torch.cat([latents[..., :quiet], alike, latents[..., quiet:]], dim=-1)

    def decode(self, latents: Tensor, n_samples: int) -> Tensor:
        """Audio [batch, 2, n_samples] of latents; differentiable. Frames that no kept sample hears are not decoded."""
        hop = self.vae.hop_length
        assert 0 < n_samples <= latents.shape[-1] * hop, "latents are shorter than the clip"
        needed = math.ceil(n_samples / hop) + self.reach
        return self.vae.decode(latents[..., :needed]).sample[..., :n_samples]

    @property
    def reach(self) -> int:
        """Latent frames to each side that a sample hears of when decoded; a frame hears no farther when encoded."""
        return reach_frames(self.vae.config.downsampling_ratios)

    def encode_prompt(self, prompt: str | None, duration_s: float) -> dict[str, Tensor]:
        """`tokens` [1, text tokens + 2, width] and `timing` [1, 1, 2 width] of a clip from 0 to `duration_s` seconds."""
        seconds = torch.tensor([0.0, duration_s], device=self.device)
        timing = self.projection(start_seconds=seconds[:1], end_seconds=seconds[1:])
        start, end = timing.seconds_start_hidden_states, timing.seconds_end_hidden_states
        tokens = torch.cat([self._text_states(prompt or ""), start, end], dim=1)
        if prompt is None:
            tokens = torch.zeros_like(tokens)
        return {"tokens": tokens, "timing": torch.cat([start, end], dim=2)}

    def _text_states(self, prompt: str) -> Tensor:
        """T5 states [1, text tokens, width] as in training: padded to the full length, the padding then zeroed."""
        limit = self.tokenizer.model_max_length
        limit = limit if limit <= 4 * N_TEXT_TOKENS else N_TEXT_TOKENS
        ids = token_ids(self.tokenizer, prompt, limit, self.facts.name).to(self.device)
        states = self.projection(text_hidden_states=self.text_encoder(ids).last_hidden_state).text_hidden_states
        return F.pad(states, (0, 0, 0, limit - ids.shape[1]))

    def predict(self, x: Tensor, time: Tensor, conditionings: Sequence[Conditioning]) -> Tensor:
        return self.network(
            x.to(self.dtype), time,
            encoder_hidden_states=torch.cat([c.tensors["tokens"] for c in conditionings]).to(self.dtype),
            global_hidden_states=torch.cat([c.tensors["timing"] for c in conditionings]).to(self.dtype),
            rotary_embedding=self._rotary(x.shape[-1] + 1), return_dict=False,
        )[0]

    def _build_rotary(self, n_positions: int) -> tuple[Tensor, Tensor]:
        """cos and sin [n_positions, head width / 2], on the device once: the layers would each copy it there."""
        width = self.network.config.attention_head_dim // 2
        frequencies = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
        angles = torch.outer(torch.arange(n_positions, dtype=torch.float64), frequencies).repeat(1, 2)
        return angles.cos().float().to(self.device), angles.sin().float().to(self.device)


def reach_frames(ratios: Sequence[int]) -> int:
    """Latent frames behind a sample that its decoding can hear: the Oobleck decoder's kernels, added up.

    `ratios` are the encoder's (fine to coarse). Half-widths: 3 frames (kernel 7), then for each block a transposed
    convolution of two frames and residual units of 3 (1 + 3 + 9) samples at its output rate, 3 samples at the end.
    """
    reach, hop = 3.0, math.prod(ratios)
    step = hop
    for ratio in reversed(ratios):
        reach += step / hop
        step //= ratio
        reach += 39 * step / hop
    return math.ceil(reach + 3 / hop)


def _to_precision(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """The network in `dtype`, but for its time embedding: half precision would round a time of 0.9987 to 1."""
    if dtype is torch.float32:
        return network
    for name, part in network.named_children():
        if name not in ("time_proj", "timestep_proj"):
            part.to(dtype)
    # The network casts its time to the dtype of its first parameter, which is the time embedding's: float32.
    network.timestep_proj.register_forward_hook(lambda module, inputs, features: features.to(dtype))
    return network


def _check_schedule(config, name: str) -> None:
    if (config.prediction_type, config.sigma_schedule, config.sigma_data) != ("v_prediction", "exponential", 1.0):
        raise ModelUnavailable(
            f"{name} has the schedule {config.prediction_type}/{config.sigma_schedule}/sigma_data {config.sigma_data}; "
            "this version runs Stable Audio Open 1.0's: v_prediction/exponential/1.0."
        )
