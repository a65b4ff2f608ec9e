# SPDX-License-Identifier: GPL-3.0-or-later
"""A mel model without a trained denoiser: the exact one over the patches of a bank of clips (`server.models.bank`).

A folder of this layout holds `model_index.json`, whose `base` is the folder of an AudioLDM model (relative to this one)
that lends autoencoder, vocoder, schedule and text tower, and `bank/`:

    config.json        `classes`: names; `sharpness`; `windows` and `memory_windows`: up to which SNR in dB windows of which
                       half-width and reach (latent frames) are used, as [dB, half-width, reach], the last dB null;
                       `novelty` with `slack` and `scales`: see `with_novelty`; for a remembered clip alone
    bank.safetensors   `latents` int8 [clips, length, width], times `scale` float32 [width]; `classes` int64 [clips];
                       `directions` [classes, text width]: the unit text vector that an average caption of a class has

Width runs over channels, then bands. A prompt is a prior over the classes, softmax(sharpness * cosine with their
directions), shared evenly by the clips of a class; the null prompt is even over the classes.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from server.errors import ModelUnavailable
from server.models.audioldm import clap_label
from server.models.bank import posterior_mean, with_novelty
from server.models.base import Conditioning, FusionWindow, Remembering
from server.models.components import load_module, load_tokenizer, transformers
from server.models.mel_backbone import MelBackbone, mel_parts_around
from server.sampling.levels import Level

LAYOUT = "patches"
RARE = 1e-3
"""Classes that a prompt makes less likely than the likeliest by this factor take no part: what is left is quick."""
FUSION = FusionWindow(-9.0, 15.0, -3.0)
"""A remembered reference holds its shape longer than a network does: the two are even between -4 and +3 dB, by pair."""

Windows = Sequence[tuple[float | None, int, int]]


class Bank(nn.Module):
    """Clips [clips, length, width], their classes [clips], and the directions [classes, text width] of the classes."""

    def __init__(self, clips: Tensor, classes: Tensor, directions: Tensor, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.register_buffer("clips", clips.float())
        self.register_buffer("classes", classes.long())
        self.register_buffer("directions", directions.float())
        self.sharpness = float(config["sharpness"])
        self.windows: Windows = config["windows"]
        self.memory_windows: Windows = config["memory_windows"]
        self.slack, self.scales = float(config["novelty"]["slack"]), tuple(config["novelty"]["scales"])

    def log_prior(self, label: Tensor) -> Tensor:
        """Log prior of every clip, [clips], under a text vector [text width]; that of the null prompt is all zeros."""
        odds = self.sharpness * (self.directions @ label)
        odds = torch.where(odds < odds.max() + math.log(RARE), -math.inf, odds)
        counts = torch.bincount(self.classes, minlength=len(odds))
        odds = torch.where(counts == 0, -math.inf, odds)
        return (odds.log_softmax(0) - counts.clamp(min=1).log())[self.classes]


class Patches(MelBackbone, Remembering):
    """Mono; the null prompt is a text vector of zeros."""

    network: Bank
    denoises_frames = 4096  # no window of its own: the limit is memory, which grows with the square of a remembered clip

    def __init__(self, folder: Path, *, name: str, revision: str, device: torch.device, dtype: torch.dtype) -> None:
        base = base_of(folder)
        bank = _load_bank(folder).to(device)
        super().__init__(mel_parts_around(bank, base, device), name=name, layout=LAYOUT, revision=revision, device=device,
                         dtype=torch.float32)
        self.facts = replace(self.facts, guidance=1.0, fusion=FUSION)
        self.text_encoder = load_module(transformers.ClapTextModelWithProjection, base, "text_encoder").to(device)
        self.tokenizer = load_tokenizer(base, "tokenizer")
        self._memory: Tensor | None = None
        channels, _, bands = self.latent_shape(1)
        expected = (channels * bands, self.text_encoder.config.projection_dim)
        if (found := (bank.clips.shape[2], bank.directions.shape[1])) != expected:
            raise ModelUnavailable(
                f"The bank of {name} has {found[0]} numbers a frame and text vectors of {found[1]}; its base {base} has "
                f"{expected[0]} and {expected[1]}. Make the bank again with that base.")

    def encode_prompt(self, prompt: str | None, duration_s: float) -> dict[str, Tensor]:
        """`label`: the unit text vector [1, width], zeros for the null prompt; duration plays no part."""
        if prompt is None:
            return {"label": torch.zeros(1, self.network.directions.shape[1], device=self.device)}
        return {"label": clap_label(self.text_encoder, self.tokenizer, prompt, self.facts.name)}

    def denoise(self, x: Tensor, level: Level, conditionings: Sequence[Conditioning]) -> Tensor:
        """Estimate of x0, float32, same shape as `x` [batch, channels, frames, bands]; one item after the other."""
        assert len(conditionings) == len(x), "one conditioning per item"
        alpha, sigma = (v.flatten().expand(len(x)) for v in level.factors(x))
        made = [self._denoise(item.float(), a, s, c.tensors["label"][0])
                for item, a, s, c in zip(x, alpha, sigma, conditionings, strict=True)]
        return torch.stack(made)

    def _denoise(self, x: Tensor, alpha: Tensor, sigma: Tensor, label: Tensor) -> Tensor:
        bank, frames = self.network, _frames(x)
        snr_db = 20.0 * math.log10(float(alpha) / float(sigma))
        if self._memory is None:
            window = window_at(bank.windows, snr_db)
            return _latents(posterior_mean(frames, bank.clips, bank.log_prior(label), alpha, sigma, *window), len(x))
        prior, window = frames.new_zeros(1), window_at(bank.memory_windows, snr_db)
        x0hat = posterior_mean(frames, self._memory, prior, alpha, sigma, *window)
        return _latents(with_novelty(frames, x0hat, alpha, sigma, bank.slack, bank.scales), len(x))

    def remember(self, latents: Tensor) -> dict[str, Tensor]:
        """The clip itself: `latents` [channels, frames, bands]."""
        return {"latents": latents.detach().to("cpu", torch.float16).contiguous()}

    @contextmanager
    def recalling(self, memory: Mapping[str, Tensor]) -> Iterator[None]:
        """The remembered clip is the whole bank, whatever the prompt; what is not of it passes where it is loud enough."""
        before = self._memory
        self._memory = _frames(memory["latents"].to(self.device, torch.float32))[None]
        try:
            yield
        finally:
            self._memory = before


def window_at(windows: Windows, snr_db: float) -> tuple[int, int]:
    """Half-width and reach at a level: of the first entry (SNR in dB, half-width, reach) above it; None is no limit."""
    return next((half_width, reach) for up_to, half_width, reach in windows if up_to is None or snr_db < up_to)


def base_of(folder: Path) -> Path:
    """The folder that lends a bank everything else. Raises ModelUnavailable if it is not named or not there."""
    base = json.loads((folder / "model_index.json").read_text(encoding="utf-8")).get("base")
    if not isinstance(base, str) or not (folder / base / "model_index.json").is_file():
        raise ModelUnavailable(f"{folder} needs the model that its model_index.json names as base, and {base!r} has no "
                               "model_index.json. Put that model there, or correct the name.")
    return (folder / base).resolve()


def save_bank(folder: Path, clips: Tensor, classes: Tensor, directions: Tensor, config: Mapping[str, Any]) -> None:
    """Write `bank/` of a model folder; clips [clips, length, width] are rounded to 8 bits by a scale for each number."""
    scale = clips.float().abs().amax((0, 1)).clamp(min=1e-6) / 127.0
    tensors = {"latents": (clips.float() / scale).round().to(torch.int8), "scale": scale, "classes": classes.long(),
               "directions": directions.float()}
    (folder / "bank").mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file({k: v.cpu().contiguous() for k, v in tensors.items()}, folder / "bank" / "bank.safetensors")
    (folder / "bank" / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def write_index(folder: Path, base: Path) -> None:
    """Write the `model_index.json` of a bank on the model folder `base`."""
    index = {"_class_name": "PatchMosaicPipeline", "base": Path(os.path.relpath(base, folder)).as_posix()}
    (folder / "model_index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def _load_bank(folder: Path) -> Bank:
    try:
        config = json.loads((folder / "bank" / "config.json").read_text(encoding="utf-8"))
        tensors = safetensors.torch.load_file(folder / "bank" / "bank.safetensors")
        clips = tensors["latents"].float() * tensors["scale"]
        return Bank(clips, tensors["classes"], tensors["directions"], config)
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise ModelUnavailable(f"The bank in {folder} cannot be loaded ({type(error).__name__}: {error}). Make or copy the "
                               "folder again.") from error


def _frames(latents: Tensor) -> Tensor:
    """[channels, frames, bands] to [frames, channels * bands]."""
    return latents.transpose(0, 1).flatten(1)


def _latents(frames: Tensor, channels: int) -> Tensor:
    """[frames, channels * bands] to [channels, frames, bands]."""
    return frames.unflatten(1, (channels, -1)).transpose(0, 1)
