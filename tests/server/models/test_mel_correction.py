# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from server.models.mel import MelSpec, log_mel
from server.models.mel_correction import seeded_noise, shaped_noise, toward_mel

SPEC = MelSpec()


def tones(*hertz: float, gain: float = 0.3) -> torch.Tensor:
    time = torch.arange(16000) / 16000
    return torch.stack([gain * torch.sin(2 * torch.pi * hz * time) for hz in hertz])


def test_audio_that_has_its_mel_is_left_alone() -> None:
    audio = tones(300, 1100)
    torch.testing.assert_close(toward_mel(audio, log_mel(audio, SPEC), SPEC, 3), audio, rtol=0, atol=1e-4)


def test_a_level_is_set_right() -> None:
    audio = tones(440)
    louder = toward_mel(audio, log_mel(2 * audio, SPEC), SPEC, 3)
    torch.testing.assert_close(louder, 2 * audio, rtol=0, atol=5e-3)


def test_every_pass_comes_nearer(normal: Callable[..., torch.Tensor]) -> None:
    wanted = log_mel(tones(300) * torch.linspace(1, 0.1, 16000) + 0.02 * normal(1, 16000), SPEC)
    noise = 0.1 * normal(1, 16000, seed=1)
    errors = [float((log_mel(toward_mel(noise, wanted, SPEC, n), SPEC) - wanted).abs().mean()) for n in range(4)]
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.25 * errors[0]


def test_no_pass_changes_nothing(normal: Callable[..., torch.Tensor]) -> None:
    audio = normal(1, 640)
    assert torch.equal(toward_mel(audio, torch.zeros(1, 4, 64), SPEC, 0), audio)


@pytest.mark.parametrize("level", [-11.5, 5.0])
def test_silence_and_impossible_mels_stay_finite(level: float) -> None:
    audio = torch.zeros(1, 640, requires_grad=True)
    made = toward_mel(audio, torch.full((1, 4, 64), level), SPEC, 3, 2)
    assert torch.isfinite(made).all()


def test_smoothing_comes_nearer_to_noise_than_correction_alone(normal: Callable[..., torch.Tensor]) -> None:
    real = 0.1 * normal(1, 16000, seed=1)
    wanted = log_mel(real, SPEC)
    start = shaped_noise(seeded_noise(16000, torch.device("cpu")), wanted, SPEC)

    def astray(audio: torch.Tensor) -> float:
        """Distance of the fine spectra, nat."""
        window = torch.hann_window(SPEC.n_fft)
        made, asked = (torch.stft(x, SPEC.n_fft, SPEC.hop, window=window, return_complex=True).abs() for x in (audio, real))
        return float(((made + 1e-3).log() - (asked + 1e-3).log()).abs().mean())

    assert astray(toward_mel(start, wanted, SPEC, 6, 6)) < 0.9 * astray(toward_mel(start, wanted, SPEC, 12))


def test_shaped_noise_has_about_its_mel(normal: Callable[..., torch.Tensor]) -> None:
    wanted = log_mel(0.1 * normal(1, 16000) * torch.linspace(1, 0.03, 16000), SPEC)
    made = log_mel(shaped_noise(seeded_noise(16000, torch.device("cpu")), wanted, SPEC), SPEC)
    assert abs(float((made - wanted).mean())) < 0.2 and float((made - wanted).abs().mean()) < 0.5


def test_the_noise_under_a_sound_is_always_the_same() -> None:
    cpu = torch.device("cpu")
    assert torch.equal(seeded_noise(1000, cpu), seeded_noise(1000, cpu))


def test_gradients_reach_the_audio_through_both_kinds_of_passes() -> None:
    audio = tones(440, 700).requires_grad_()
    toward_mel(audio, log_mel(tones(500, 600), SPEC), SPEC, 2, 2).square().mean().backward()
    assert torch.isfinite(audio.grad).all() and audio.grad.abs().max() > 0
