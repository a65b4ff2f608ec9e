# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import torch

from server.models.embedded.griffin_lim import WINDOW, griffin_lim, magnitudes
from server.models.embedded.networks import HOP, LogMel


def chirps(samples: int = 32000) -> torch.Tensor:
    time = torch.arange(samples) / 16000
    return 0.4 * torch.sin(2 * torch.pi * (200 + 300 * time) * time)[None]


def spectrum(audio: torch.Tensor, window: torch.Tensor) -> torch.Tensor:
    return torch.stft(audio, WINDOW, HOP, window=window, return_complex=True).abs()[..., :audio.shape[-1] // HOP]


def test_magnitudes_of_a_mel_have_that_mel() -> None:
    mels = LogMel()
    mel = mels(chirps())
    found = magnitudes(mel, mels)
    assert found.shape == (1, 513, 200) and found.min() >= 0
    again = (found.transpose(1, 2) @ mels.bank)[:, None].clamp(min=1e-5).log()
    loud = mel > mel.max() - 3
    assert (again - mel)[loud].abs().mean() < 0.3


def test_iterations_bring_the_magnitudes_nearer() -> None:
    mels, audio = LogMel(), chirps()
    wanted = spectrum(audio, mels.window)

    def error(n_iterations: int) -> float:
        made = griffin_lim(wanted, audio.shape[1], mels.window, n_iterations)
        assert made.shape == audio.shape
        return float((spectrum(made, mels.window) - wanted).norm() / wanted.norm())

    assert error(60) < 0.15 < error(0)


def test_the_seed_decides_the_phases() -> None:
    mels = LogMel()
    wanted = spectrum(chirps(16000), mels.window)
    one, same, other = (griffin_lim(wanted, 16000, mels.window, 2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
