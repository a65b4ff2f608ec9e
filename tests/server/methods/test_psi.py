# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
import torch

from server.methods.operators import magnitude
from server.methods.psi import MagnitudeDb, MelDb, mel_spec

RATE = 16000


@pytest.fixture
def audio() -> torch.Tensor:
    return 0.1 * torch.randn(1, 1, RATE // 2, generator=torch.Generator().manual_seed(0))


def test_its_parameters_are_the_paper_s_at_16_khz():
    spec = mel_spec(RATE)
    assert (spec.n_fft, spec.hop, spec.n_mels, spec.f_max) == (1024, 160, 64, 8000.0)


def test_it_counts_decibels(audio):
    psi = MelDb.of(audio, RATE)
    louder = psi(2.0 * audio) - psi(audio)
    assert psi(audio).shape == (1, 1, 64, 51)
    torch.testing.assert_close(louder[..., 5:-5], torch.full_like(louder[..., 5:-5], 6.02), atol=0.05, rtol=0)


def test_silence_is_60_db_down_and_still_has_a_gradient(audio):
    psi = MelDb.of(audio, RATE)
    faint = (1e-5 * audio).requires_grad_()
    level = psi(faint)
    assert float(psi(audio).max() - level.max().detach()) == pytest.approx(60.0, abs=0.1)
    level.sum().backward()
    assert faint.grad.abs().max() > 0


def test_magnitudes_are_compared_as_the_waveform_they_are_of(audio):
    spec = mel_spec(RATE)
    given = magnitude(spec.n_fft, spec.hop)(audio)
    found = MagnitudeDb.of(given, RATE, spec.hop)(given)
    torch.testing.assert_close(found, MelDb.of(audio, RATE)(audio), atol=1e-3, rtol=0)


def test_a_phase_that_is_turned_around_is_no_distance(audio):
    psi = MelDb.of(audio, RATE)
    torch.testing.assert_close(psi(-audio), psi(audio))
