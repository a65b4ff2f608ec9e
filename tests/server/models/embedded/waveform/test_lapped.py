# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from server.models.embedded.waveform.companding import expanded
from server.models.embedded.waveform.lapped import (
    Lapped,
    band_filters,
    deviation_of,
    mdct_basis,
    raw_latents,
    reading,
    spreading_filters,
)
from server.models.embedded.waveform.shape import (
    CHANNELS,
    HOP,
    LINE_HOP,
    MID_BANDS,
    MID_LINES,
    N_BANDS,
    N_LINES,
    SAMPLE_RATE,
    SIDE_LINES,
)

FRAMES = 24


def tone(hz: float, level: float = 0.3) -> Tensor:
    return level * torch.sin(2 * math.pi * hz * torch.arange(FRAMES * HOP) / SAMPLE_RATE)


def noise(deviation: float, seed: int = 1) -> Tensor:
    return deviation * torch.randn(FRAMES * HOP, generator=torch.Generator().manual_seed(seed))


def of(mid: Tensor, side: Tensor) -> Tensor:
    """Raw latents `[84, frames]` of a middle and a side."""
    return raw_latents(torch.stack([mid + side, mid - side])[None])[0]


@pytest.mark.parametrize("n", [16, LINE_HOP])
def test_the_mdct_overlaps_to_the_identity(n: int) -> None:
    basis = mdct_basis(n)
    torch.testing.assert_close(basis @ basis.T, torch.eye(n), atol=1e-5, rtol=0)
    x = torch.randn(6 * n, generator=torch.Generator().manual_seed(0))
    lines = x.unfold(0, 2 * n, n) @ basis.T
    back = sum(torch.nn.functional.pad(frame @ basis, (k * n, (4 - k) * n)) for k, frame in enumerate(lines))
    torch.testing.assert_close(back[n:-n], x[n:-n], atol=1e-5, rtol=0)


def test_a_low_tone_is_in_its_line_of_the_middle_or_of_the_side() -> None:
    nothing = torch.zeros(FRAMES * HOP)
    for place, lines in enumerate((of(tone(156.25), nothing), of(nothing, tone(156.25)))):
        energy = lines[:2 * N_LINES].unflatten(0, (2, N_LINES)).square().mean((0, 2))
        assert int(energy.argmax()) == (2 if place == 0 else MID_LINES + 2)
        other = energy[MID_LINES:] if place == 0 else energy[:MID_LINES]
        assert other.abs().max() == 0 and len(energy) == MID_LINES + SIDE_LINES


def test_both_frames_of_a_pair_are_the_mdct_of_the_sound() -> None:
    x = tone(440)
    lines = expanded(of(x, torch.zeros_like(x))[:2 * N_LINES].unflatten(0, (2, N_LINES))[:, :MID_LINES])
    wanted = torch.nn.functional.pad(x, (LINE_HOP // 2,) * 2).unfold(0, 2 * LINE_HOP, LINE_HOP) @ mdct_basis(LINE_HOP).T
    got = lines.permute(2, 0, 1).reshape(2 * FRAMES, MID_LINES)
    assert (got - wanted[:, :MID_LINES]).norm() < 0.03 * wanted[:, :MID_LINES].norm()


@pytest.mark.parametrize("decibels", [-70, -45, -20])
def test_the_ruler_reads_the_level_of_noise_in_every_group(decibels: float) -> None:
    deviation = 10 ** (decibels / 20)
    levels = deviation_of(of(noise(deviation), noise(deviation, 2))[2 * N_LINES:, 2:-2])
    found = 20 * levels.square().mean(1).sqrt().log10()
    assert found.shape == (N_BANDS,) and (found - decibels).abs().max() < 2.5


def test_reading_and_its_inverse() -> None:
    deviation = 10 ** (torch.linspace(-90, -7, 30) / 20)
    torch.testing.assert_close(deviation_of(reading(deviation)), deviation, rtol=1e-3, atol=0)
    assert deviation_of(torch.zeros(2)).max() == 0


def test_a_loud_bass_is_no_hiss() -> None:
    shown = of(tone(300, 0.5), torch.zeros(FRAMES * HOP))[2 * N_LINES:, 3:-3]
    assert 20 * deviation_of(shown).max().clamp(min=1e-9).log10() < -70


def test_a_band_filter_hears_its_kilohertz() -> None:
    response = torch.fft.rfft(band_filters(), 4096).abs()
    hz = torch.linspace(0, SAMPLE_RATE / 2, response.shape[1])
    for band in (3, 9):
        inside = (hz > 1000 * band + 300) & (hz < 1000 * band + 700)
        outside = (hz < 1000 * band - 1000) | (hz > 1000 * band + 2000)
        assert response[band, outside].max() < 1e-3 * response[band, inside].min()


def test_spreading_keeps_energy() -> None:
    energy = spreading_filters().square().sum((2, 3))
    bands = torch.tensor([len(bands) for bands in MID_BANDS])
    torch.testing.assert_close(energy[:len(bands)], torch.ones_like(energy[:len(bands)]))


def test_pairs_share_their_numbers_and_silence_is_zero() -> None:
    codec = Lapped(torch.rand(CHANNELS), torch.rand(CHANNELS) + 0.1).paired()
    assert torch.equal(codec.scale[:N_LINES], codec.scale[N_LINES:2 * N_LINES])
    assert codec.encode(torch.zeros(1, 2, 4 * HOP))[0, :2 * N_LINES].abs().max() == 0
