# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written into the network is the codec: the same latents, the lines back, noise where noise was."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderOobleck
from torch import Tensor

from server.models.components import load_module
from server.models.embedded.waveform.export import halve_exact
from server.models.embedded.waveform.lapped import Lapped, deviation_of, raw_latents
from server.models.embedded.waveform.oobleck import NOISY, autoencoder, curve, curve_fit
from server.models.embedded.waveform.shape import CHANNELS, HOP, N_LINES, SAMPLE_RATE, STEPS
from server.models.idle_units import without_idle_units

FRAMES = 48


def sound() -> Tensor:
    """Tones of the middle and the side and noise that fades in, `[1, 2, samples]`."""
    generator = torch.Generator().manual_seed(4)
    t = torch.arange(FRAMES * HOP) / SAMPLE_RATE
    mid = 0.3 * torch.sin(2 * math.pi * 220 * t) + 0.2 * torch.sin(2 * math.pi * 1100 * t)
    mid = mid + 0.05 * t / t[-1] * torch.randn(len(t), generator=generator)
    side = 0.1 * torch.sin(2 * math.pi * 130 * t) + 0.01 * torch.randn(len(t), generator=generator)
    return torch.stack([mid + side, mid - side])[None]


@pytest.fixture(scope="module")
def codec() -> Lapped:
    raw = raw_latents(sound())
    return Lapped(raw.mean((0, 2)), raw.std((0, 2)).clamp(min=0.1)).paired()


@pytest.fixture(scope="module")
def network(codec: Lapped) -> AutoencoderOobleck:
    return without_idle_units(autoencoder(codec))


@torch.no_grad()
def decoded(network: AutoencoderOobleck, audio: Tensor) -> Tensor:
    return network.decode(network.encode(audio).latent_dist.mode()).sample


@torch.no_grad()
def test_the_network_answers_what_the_codec_does(network: AutoencoderOobleck, codec: Lapped) -> None:
    found, wanted = network.encode(sound()).latent_dist.mode(), codec.encode(sound())
    assert found.shape == (1, CHANNELS, FRAMES)
    lines, levels = (found - wanted).split([2 * N_LINES, CHANNELS - 2 * N_LINES], dim=1)
    assert lines.abs().max() < 0.01
    assert levels.square().mean().sqrt() * codec.scale[-1] < 0.03  # steps: rounded filters turn saturated sines elsewhere


@torch.no_grad()
def test_the_posterior_is_almost_its_mean(network: AutoencoderOobleck) -> None:
    assert network.encode(sound()).latent_dist.std.max() < 2e-4


def test_tones_come_back_as_waveforms(network: AutoencoderOobleck) -> None:
    t = torch.arange(FRAMES * HOP) / SAMPLE_RATE
    mid, side = 0.3 * torch.sin(2 * math.pi * 700 * t), 0.1 * torch.sin(2 * math.pi * 130 * t)
    audio = torch.stack([mid + side, mid - side])[None]
    inside = slice(2 * HOP, -2 * HOP)
    left = (decoded(network, audio) - audio)[..., inside]
    assert 10 * (audio[..., inside].square().mean() / left.square().mean()).log10() > 28


def test_noise_comes_back_as_loud_and_never_repeats(network: AutoencoderOobleck) -> None:
    audio = 0.1 * torch.randn(1, 2, FRAMES * HOP, generator=torch.Generator().manual_seed(2))
    made = decoded(network, audio)
    for low, high in ((2200, 4000), (4000, 8000), (10000, 15500)):
        bins = slice(int(low / SAMPLE_RATE * FRAMES * HOP), int(high / SAMPLE_RATE * FRAMES * HOP))
        energy = [torch.fft.rfft(x.mean(1))[..., bins].abs().square().sum() for x in (made, audio)]
        assert abs(10 * (energy[0] / energy[1]).log10()) < 1.5
    high = torch.fft.irfft(torch.fft.rfft(made[0, 0]) * (torch.arange(FRAMES * HOP // 2 + 1) > FRAMES * HOP // 8))
    framed = high.unflatten(0, (FRAMES, HOP))
    alike = torch.nn.functional.cosine_similarity(framed[4:-5], framed[5:-4], dim=1)
    assert alike.abs().mean() < 0.1


def test_silence_comes_back_as_silence(network: AutoencoderOobleck) -> None:
    assert decoded(network, torch.zeros(1, 2, 16 * HOP)).abs().max() < 1e-5


def test_the_curve_is_the_root_of_the_strength() -> None:
    shown = torch.linspace(0.5, STEPS / 2 - 0.1, 50)
    a, weights, offset = curve_fit()
    found = (curve(a, shown) @ weights + offset).square()
    wanted = deviation_of(shown) / deviation_of(torch.tensor([STEPS / 2]))
    assert (20 * (found / wanted).log10()).abs().max() < 3 and len(NOISY) == 29


@torch.no_grad()
def test_it_survives_half_precision_and_the_disk(network: AutoencoderOobleck, codec: Lapped, tmp_path: Path) -> None:
    halve_exact(autoencoder(codec)).save_pretrained(tmp_path)
    size = sum(file.stat().st_size for file in tmp_path.glob("*.safetensors"))
    again = without_idle_units(load_module(AutoencoderOobleck, tmp_path, "."))
    latents = codec.encode(sound())
    torch.testing.assert_close(again.decode(latents).sample, network.decode(latents).sample)
    assert size < 24e6
