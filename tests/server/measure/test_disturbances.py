# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import torch

from server.measure.disturbances import disturbed
from server.measure.mel_frames import N_SAMPLES, mel_frames
from server.models.embedded.format import ITEM_SAMPLES


def lessons() -> torch.Tensor:
    """A hum at 200 Hz and a hiss, 6 s each, at peak 0.5."""
    time = torch.arange(ITEM_SAMPLES) / 32000
    hiss = torch.randn(ITEM_SAMPLES, generator=torch.Generator().manual_seed(3)).diff(append=torch.zeros(1))
    return torch.stack([0.5 * torch.sin(2 * torch.pi * 200 * time), 0.5 * hiss / hiss.abs().max()])


def test_it_follows_its_seed_and_keeps_the_peak() -> None:
    made, again, other = (disturbed(lessons(), torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert made.shape == (2, N_SAMPLES) and torch.equal(made, again) and not torch.equal(made, other)
    assert torch.allclose(made.abs().amax(1), torch.tensor(0.5), atol=1e-4)


def test_what_was_low_stays_low_and_what_was_high_high() -> None:
    mels = mel_frames(disturbed(lessons(), torch.Generator().manual_seed(0))).mean(1)
    below = mels[:, :8].mean(1) - mels[:, 24:40].mean(1)
    assert below[0] > 2 and below[1] < -1
