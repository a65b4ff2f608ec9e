# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
import torch
from torch import Tensor

from server.models.embedded.damage import KINDS, damage
from server.models.embedded.format import SAMPLE_RATE

N = SAMPLE_RATE
AMOUNTS = torch.tensor([[0.0], [1.0]])


def share(clips: Tensor, low_hz: float, high_hz: float) -> Tensor:
    """Energy between two frequencies as a share of each clip's."""
    power = torch.fft.rfft(clips).abs().square()
    hz = torch.fft.rfftfreq(clips.shape[-1], 1 / SAMPLE_RATE)
    return power[:, (hz >= low_hz) & (hz < high_hz)].sum(1) / power.sum(1)


@pytest.fixture
def noise() -> Tensor:
    return torch.randn(1, N, generator=torch.Generator().manual_seed(0)).repeat(2, 1)


def hurt(clips: Tensor, kind: str) -> Tensor:
    return damage(clips, kind, AMOUNTS, torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", KINDS)
def test_every_damage_keeps_the_clip_s_size_and_changes_it(kind: str, noise: Tensor) -> None:
    done = hurt(noise, kind)
    assert done.shape == noise.shape and torch.isfinite(done).all()
    assert not torch.allclose(done[0], done[1], atol=1e-3)  # light and heavy differ
    assert torch.equal(done, hurt(noise, kind))


def test_bands_are_limited(noise: Tensor) -> None:
    assert (share(hurt(noise, "muffled"), 9000, 16000) < 0.01).all()
    assert share(hurt(noise, "muffled")[1:], 2500, 16000) < 0.05
    telephone = hurt(noise, "telephone")
    assert (share(telephone, 250, 4500) > 0.9).all() and (share(telephone, 0, 150) < 0.001).all()


def test_clipping_holds_a_ceiling() -> None:
    tone = 0.3 * torch.sin(torch.arange(N) * 0.05)[None].repeat(2, 1)
    done = hurt(tone, "clipped")
    assert done.abs().max() == 1
    at_ceiling = (done.abs() > 0.999).float().mean(1)
    assert at_ceiling[0] > 0.5 and at_ceiling[1] > at_ceiling[0]


def test_noise_is_at_the_level_given() -> None:
    tone = torch.sin(torch.arange(N) * 0.05)[None].repeat(2, 1)
    added = hurt(tone, "noisy") - tone
    below_db = 20 * torch.log10(tone.std(1) / added.std(1))
    torch.testing.assert_close(below_db, torch.tensor([18.0, 3.0]), atol=0.3, rtol=0)


def test_a_hall_rings_on() -> None:
    click = torch.zeros(2, N)
    click[:, 0] = 1
    tail = hurt(click, "hall")[:, N // 2:]
    assert (tail.square().sum(1) > 0.002).all()


def test_a_damage_that_is_none_is_refused(noise: Tensor) -> None:
    with pytest.raises(ValueError, match="muffled, telephone, clipped, noisy, hall, not 'tape'"):
        hurt(noise, "tape")
