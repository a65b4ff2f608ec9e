# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderOobleck

from server.models.components import load_module
from server.models.embedded.waveform.shape import CHANNELS, HOP
from server.models.embedded.waveform.train_codec import load_codec


@torch.no_grad()
def test_the_folder_holds_the_codec_that_was_measured(codec_work: Path) -> None:
    codec = load_codec(codec_work, torch.device("cpu"))
    assert codec.scale.shape == (CHANNELS,) and (codec.scale > 0).all()
    audio = 0.1 * torch.randn(1, 2, 16 * HOP, generator=torch.Generator().manual_seed(1))
    network = load_module(AutoencoderOobleck, codec_work, "vae")
    apart = network.encode(audio).latent_dist.mode() - codec.encode(audio)
    assert network.config.sampling_rate == 32000 and apart.square().mean().sqrt() < 0.05
