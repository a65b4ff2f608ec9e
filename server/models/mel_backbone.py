# SPDX-License-Identifier: GPL-3.0-or-later
"""What all mel models share: latents of a log-mel image, a vocoder behind it, a discrete noise schedule.

Audio goes in as it is. These models were trained on clips with their mean removed and their peak brought to 0.5: a method
that wants the best of them normalises before `encode` and restores the gain after `decode`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from server.errors import ModelUnavailable
from server.models.base import BackboneFacts, Schedule
from server.models.components import diffusers, load_config, load_module, transformers
from server.models.mel import MelSpec, log_mel
from server.models.mel_correction import seeded_noise, shaped_noise, toward_mel
from server.models.prediction import PredictingBackbone, PromptedBackbone
from server.models.vocoder_delay import measure_delay
from server.sampling.levels import Levels, levels_even_in_snr, levels_from_alphas_cumprod

MAX_S = 10.24  # what all official checkpoints were trained on
DRAFT_PASSES = 2
_PREDICTIONS = ("epsilon", "v_prediction", "sample")


@dataclass(frozen=True, eq=False)
class MelParts:
    """The loaded parts of a mel model, all on their device: the denoiser in its own precision, the rest float32."""

    network: nn.Module
    vae: nn.Module
    vocoder: nn.Module
    scheduler: Any


def load_mel_parts(network_class: type, folder: Path, device: torch.device, dtype: torch.dtype) -> MelParts:
    """unet, vae, vocoder and scheduler of a hub folder. Raises ModelUnavailable."""
    network = load_module(network_class, folder, "unet").to(device=device, dtype=dtype)
    return mel_parts_around(network, folder, device)


def mel_parts_around(network: nn.Module, folder: Path, device: torch.device) -> MelParts:
    """vae, vocoder and scheduler of a hub folder beside a denoiser that is loaded already. Raises ModelUnavailable."""
    return MelParts(
        network=network,
        vae=load_module(diffusers.AutoencoderKL, folder, "vae").to(device),
        vocoder=load_module(transformers.SpeechT5HifiGan, folder, "vocoder").to(device),
        # The table alone is taken from it: another scheduler class saves the same fields.
        scheduler=load_config(diffusers.DDIMScheduler, folder, "scheduler"),
    )


class MelBackbone(PromptedBackbone):
    """Mono audio <-> latents [batch, channels, frames, bands]; frames of 4 mel hops (25 a second at 16 kHz)."""

    def __init__(
        self, parts: MelParts, *, name: str, layout: str, revision: str, device: torch.device, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.parts, self.network, self.device, self.dtype = parts, parts.network, device, dtype
        config = parts.vocoder.config
        # `mel_n_fft`, and `mel_noise`, `mel_smoothing` and `mel_passes` below, are stated by the embedded model alone.
        self.mel = MelSpec(
            config.sampling_rate, n_fft=getattr(config, "mel_n_fft", 1024), hop=math.prod(config.upsample_rates),
            n_mels=config.model_in_dim, f_max=config.sampling_rate / 2,
        )
        self.frames_per_latent = 2 ** (len(parts.vae.config.block_out_channels) - 1)
        self.facts = BackboneFacts(
            name=name, layout=layout, revision=revision, sample_rate=self.mel.sample_rate, channels=1,
            latent_hz=self.mel.sample_rate / self.samples_per_latent, max_s=MAX_S,
        )
        self.delay = measure_delay(self._vocode, self.mel, device)
        # Official vocoders are good enough, and rendered as their pipelines do.
        self.mel_noise: float = getattr(config, "mel_noise", 0.0)
        self.mel_smoothing: int = getattr(config, "mel_smoothing", 0)
        self.mel_passes: int = getattr(config, "mel_passes", 0)

    @property
    def samples_per_latent(self) -> int:
        """Audio samples of one latent frame."""
        return self.mel.hop * self.frames_per_latent

    def levels(self, n_steps: int, schedule: Schedule = "model") -> Levels:
        """The training steps that the model's DDIM scheduler picks, or even steps in SNR between them."""
        if schedule == "even":
            return levels_even_in_snr(self.parts.scheduler.alphas_cumprod, n_steps)
        config = self.parts.scheduler.config
        return levels_from_alphas_cumprod(
            self.parts.scheduler.alphas_cumprod, n_steps, spacing=config.timestep_spacing,
            steps_offset=config.steps_offset, final="one" if config.set_alpha_to_one else "first",
        )

    def latent_shape(self, n_samples: int) -> tuple[int, ...]:
        """(channels, frames, bands) of a clip of `n_samples`; any number of frames is a legal length for the network."""
        frames = math.ceil(max(n_samples, 1) / self.samples_per_latent)
        return (self.parts.vae.config.latent_channels, frames, self.mel.n_mels // self.frames_per_latent)

    def encode(self, audio: Tensor) -> Tensor:
        """Latents [batch, channels, frames, bands] of mono audio [batch, 1, time]; posterior mode, unit deviation."""
        assert audio.ndim == 3 and audio.shape[1] == 1, "mono audio [batch, 1, time]"
        n_padded = self.latent_shape(audio.shape[-1])[1] * self.samples_per_latent
        padded = F.pad(audio[:, 0].to(self.device, torch.float32), (0, n_padded - audio.shape[-1]))
        mel = log_mel(padded, self.mel).unsqueeze(1)
        return self.parts.vae.encode(mel).latent_dist.mode() * self.parts.vae.config.scaling_factor

    def decode_mel(self, latents: Tensor) -> Tensor:
        """Log-mel frames [batch, frames * frames_per_latent, n_mels] of latents; differentiable."""
        return self.parts.vae.decode(latents / self.parts.vae.config.scaling_factor).sample.squeeze(1)

    def decode(self, latents: Tensor, n_samples: int) -> Tensor:
        """Audio [batch, 1, n_samples] of latents; differentiable. The vocoder's delay is taken out.

        `n_samples` reaches at most to the end of the latents.
        """
        return self.audio_of_mel(self.decode_mel(latents), n_samples)

    def decode_draft(self, latents: Tensor, n_samples: int) -> Tensor:
        """As `decode`, the levels corrected in two passes only: a third of the time, 1 to 2.5 dB of mel away from it."""
        return self.draft_of_mel(self.decode_mel(latents), n_samples)

    def decode_stereo(self, latents: Tensor, n_samples: int) -> Tensor:
        """Audio [batch, 2, n_samples]: what is noise differs between the sides, tones and strikes stay in the middle.

        Mono [batch, 1, n_samples] where the vocoder has no noise under it. Differentiable.
        """
        return self.stereo_of_mel(self.decode_mel(latents), n_samples)

    def audio_of_mel(self, mel: Tensor, n_samples: int, at: int = 0) -> Tensor:
        """The second half of `decode`, from log-mel frames [batch, frames, n_mels] that begin at sample `at` of a clip."""
        assert 0 < n_samples <= mel.shape[1] * self.mel.hop, "latents are shorter than the clip"
        return self._finished(self._sound(mel), mel, 0, at)[:, None, :n_samples]

    def stereo_of_mel(self, mel: Tensor, n_samples: int, at: int = 0) -> Tensor:
        """The second half of `decode_stereo`, as `audio_of_mel`."""
        if not self.mel_noise:
            return self.audio_of_mel(mel, n_samples, at)
        sound = self._sound(mel)
        return torch.stack([self._finished(sound, mel, side, at) for side in (0, 1)], dim=1)[..., :n_samples]

    def draft_of_mel(self, mel: Tensor, n_samples: int, at: int = 0) -> Tensor:
        """The second half of `decode_draft`, as `audio_of_mel`."""
        return self._finished(self._sound(mel), mel, 0, at, draft=True)[:, None, :n_samples]

    def vocode(self, mel: Tensor) -> Tensor:
        """Audio [batch, frames * hop] of log-mel frames [batch, frames, n_mels], without delay, its levels corrected."""
        return self._finished(self._sound(mel), mel, 0)

    def _sound(self, mel: Tensor) -> Tensor:
        """The vocoder's own sound, its delay taken out."""
        n_full, audio = mel.shape[1] * self.mel.hop, self._vocode(mel)
        return F.pad(audio, (0, max(0, self.delay + n_full - audio.shape[-1])))[:, self.delay : self.delay + n_full]

    def _finished(self, sound: Tensor, mel: Tensor, side: int, at: int = 0, draft: bool = False) -> Tensor:
        """With noise under it, one for each side and keyed by the sample of the clip, and its levels corrected."""
        if self.mel_noise:
            noise = seeded_noise(at + sound.shape[-1], self.device, side)[:, at:]
            sound = sound + self.mel_noise * shaped_noise(noise, mel, self.mel)
        if draft:
            return toward_mel(sound, mel, self.mel, min(self.mel_passes, DRAFT_PASSES))
        return toward_mel(sound, mel, self.mel, self.mel_passes, self.mel_smoothing)

    def _vocode(self, mel: Tensor) -> Tensor:
        return self.parts.vocoder(mel)


class MelPredictor(MelBackbone, PredictingBackbone):
    """A mel model whose denoiser is a trained network: AudioLDM and AudioLDM2."""

    def __init__(
        self, parts: MelParts, *, name: str, layout: str, revision: str, device: torch.device, dtype: torch.dtype
    ) -> None:
        super().__init__(parts, name=name, layout=layout, revision=revision, device=device, dtype=dtype)
        self.prediction = parts.scheduler.config.prediction_type
        if self.prediction not in _PREDICTIONS:
            raise ModelUnavailable(
                f"{name} predicts {self.prediction!r}; this version knows {', '.join(_PREDICTIONS)}. Choose another model."
            )
