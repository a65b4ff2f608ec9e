# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import torch

from server.audio import Clip
from server.measure.mel_classifier import Course, band_hz, teach, varied
from server.measure.mel_frames import N_FRAMES, audio_of, mel_frames
from server.models.embedded.format import ITEM_SAMPLES

RATE = 32000


def lessons() -> tuple[torch.Tensor, torch.Tensor]:
    """Low hums and high hisses, twelve of each, 6 s."""
    rng, time = np.random.default_rng(0), np.arange(ITEM_SAMPLES) / RATE
    hums = [np.sin(2 * np.pi * rng.uniform(80, 300) * time) for _ in range(12)]
    hisses = [np.diff(rng.normal(size=ITEM_SAMPLES + 1)) for _ in range(12)]
    audio = audio_of([Clip(0.1 * made[None], RATE) for made in (*hums, *hisses)], ITEM_SAMPLES)
    return mel_frames(audio), torch.tensor([0] * 12 + [1] * 12)


def test_it_tells_apart_what_is_different_and_follows_its_seed() -> None:
    mels, targets = lessons()
    taught, again = (teach(mels, targets, torch.ones(24), 2, Course(steps=12, batch=8, seed=1)) for _ in range(2))
    with torch.no_grad():
        assert (taught(mels[:, :N_FRAMES]).argmax(1) == targets).float().mean() > 0.9
    same = again.state_dict()
    assert all(torch.equal(value, same[key]) for key, value in taught.state_dict().items())


def test_what_weighs_nothing_is_not_learned_from() -> None:
    mels, targets = lessons()
    spoilt = mels.clone()
    spoilt[3] = torch.nan
    weights = torch.ones(24)
    weights[3] = 0
    taught = teach(spoilt, targets, weights, 2, Course(steps=2, batch=8))
    assert all(torch.isfinite(value).all() for value in taught.state_dict().values())


def test_lessons_are_varied_within_what_a_mel_can_be() -> None:
    mels, _ = lessons()
    made = varied(mels, torch.Generator().manual_seed(0))
    assert made.shape == (24, N_FRAMES, 64) and torch.isfinite(made).all()
    assert -11.6 < made.min() and made.max() < mels.max() + 4
    assert not torch.equal(made, varied(mels, torch.Generator().manual_seed(1)))
    assert (band_hz().diff() >= 0).all() and 15000 < band_hz()[-1] <= 16000
