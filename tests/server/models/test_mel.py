# SPDX-License-Identifier: GPL-3.0-or-later
"""The mel front end against the library's filter bank, a direct Fourier sum, and exact silence."""

from __future__ import annotations

import math

import numpy as np
import torch
from transformers.audio_utils import mel_filter_bank

from server.models.mel import MelSpec, log_mel, mel_bank

SPEC = MelSpec()


def test_bank_equals_the_librarys_slaney_bank():
    theirs = mel_filter_bank(513, 64, 0.0, 8000.0, 16000, norm="slaney", mel_scale="slaney")
    np.testing.assert_allclose(mel_bank(SPEC).numpy(), theirs, rtol=0, atol=1e-12)


def test_one_frame_is_the_windowed_spectrum_around_its_centre(normal):
    audio, frame = normal(1, 4800).double(), 10
    window = 0.5 - 0.5 * torch.cos(2 * math.pi * torch.arange(1024, dtype=torch.float64) / 1024)
    centre = frame * 160
    spectrum = torch.fft.rfft(audio[0, centre - 512 : centre + 512] * window).abs()
    expected = (spectrum @ mel_bank(SPEC)).clamp(min=1e-5).log()
    torch.testing.assert_close(log_mel(audio.float(), SPEC)[0, frame].double(), expected, rtol=0, atol=1e-4)


def test_silence_is_the_floor_and_frames_are_counted_exactly(normal):
    audio = torch.cat([normal(2, 1600), torch.zeros(2, 3200)], 1)
    mel = log_mel(audio, SPEC)
    assert mel.shape == (2, 30, 64)
    torch.testing.assert_close(mel[:, 14:], torch.full((2, 16, 64), math.log(1e-5)), rtol=0, atol=1e-6)
    assert (mel[:, :10] > -5).any()


def test_gradients_pass(normal):
    audio = normal(1, 1600).requires_grad_()
    log_mel(audio, SPEC).sum().backward()
    assert torch.isfinite(audio.grad).all() and audio.grad.any()
