# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from server.models.mel import MelSpec, log_mel
from server.models.mel_correction import toward_mel

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
    made = toward_mel(audio, torch.full((1, 4, 64), level), SPEC, 3)
    assert torch.isfinite(made).all()
