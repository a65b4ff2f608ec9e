# SPDX-License-Identifier: GPL-3.0-or-later
"""The delay is found where it is known: a vocoder that answers with the probe itself, late, and one that guesses phases."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from server.models.mel import MelSpec, mel_bank
from server.models.vocoder_delay import hits, measure_delay

SPEC, CPU = MelSpec(), torch.device("cpu")


def griffin_lim(mel: torch.Tensor, n_iterations: int = 40) -> torch.Tensor:
    """Audio with the magnitudes of a log-mel and phases of its own."""
    magnitude = (mel.exp() @ torch.linalg.pinv(mel_bank(SPEC).float())).clamp(min=0).transpose(1, 2)
    magnitude = torch.cat([magnitude, magnitude[..., -1:]], -1)
    window = torch.hann_window(1024)
    phase = 2j * math.pi * torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(0))
    spectrum = magnitude * torch.exp(phase)
    for _ in range(n_iterations):
        audio = torch.istft(spectrum, 1024, 160, window=window, length=160 * mel.shape[1])
        again = torch.stft(audio, 1024, 160, window=window, return_complex=True)
        spectrum = magnitude * again / (again.abs() + 1e-9)
    return audio


def late(answer, delay: int, overhang: int = 32):
    """A vocoder that gives `overhang` samples too many and `answer(mel)` behind `delay` samples of silence."""

    def vocode(mel: torch.Tensor) -> torch.Tensor:
        n_samples = mel.shape[1] * SPEC.hop + overhang
        return F.pad(answer(mel), (delay, n_samples))[:, :n_samples]

    return vocode


@pytest.mark.parametrize("delay", [0, 16, 80, 160])
def test_a_known_delay_is_found_to_the_sample(delay):
    assert measure_delay(late(lambda mel: hits(SPEC)[None], delay), SPEC, CPU) == delay


@pytest.mark.parametrize("delay", [0, 80])
def test_phases_matter_little(delay):
    assert abs(measure_delay(late(griffin_lim, delay), SPEC, CPU) - delay) <= 8  # half a millisecond


def test_a_vocoder_of_exact_length_is_not_late():
    assert measure_delay(late(griffin_lim, 0, overhang=0), SPEC, CPU) == 0


def test_an_answer_that_is_no_echo_falls_back_to_the_kernels_symmetry(normal):
    assert measure_delay(lambda mel: normal(1, mel.shape[1] * SPEC.hop + 32), SPEC, CPU) == 16
