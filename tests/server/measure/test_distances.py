# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math

import pytest
import torch

from server.measure.distances import energy_above_db, stft_distance
from server.measure.griffin_lim import from_mel
from server.models.embedded.format import SPEC
from server.models.mel import log_mel

RATE = 32000


def noise(seed: int, n: int = RATE // 2) -> torch.Tensor:
    return 0.1 * torch.randn(1, n, generator=torch.Generator().manual_seed(seed))


def tone(hz: float, n: int = RATE // 2) -> torch.Tensor:
    return 0.5 * torch.sin(2 * torch.pi * hz * torch.arange(n) / RATE)[None]


def test_the_same_sound_is_at_no_distance_and_another_tone_is_farther_than_a_softer_one() -> None:
    assert stft_distance(tone(440), tone(440)).item() == 0
    softer, other = stft_distance(0.8 * tone(440), tone(440)).item(), stft_distance(tone(880), tone(440)).item()
    assert 0.1 < softer < other
    both = stft_distance(torch.cat([tone(880), tone(440)]), torch.cat([tone(440), tone(440)]))
    assert both.tolist() == pytest.approx([other, 0])


def test_energy_above_a_frequency_is_that_of_the_highs() -> None:
    high = 0.1 * tone(12000)
    assert energy_above_db(high, RATE).item() == pytest.approx(10 * math.log10(0.05**2 / 2), abs=0.1)
    assert energy_above_db(tone(1000) + high, RATE).item() == pytest.approx(energy_above_db(high, RATE).item(), abs=0.01)
    assert energy_above_db(tone(1000), RATE).item() < -80


def test_griffin_lim_comes_nearer_with_iterations_and_is_a_function_of_its_seed() -> None:
    wanted = log_mel(tone(440) + 0.3 * tone(1320), SPEC)

    def error(iterations: int) -> float:
        made = log_mel(from_mel(wanted, SPEC, iterations), SPEC).exp()
        return float((made - wanted.exp()).norm() / wanted.exp().norm())

    assert error(30) < 0.5 * error(0)
    one, same, other = (from_mel(wanted, SPEC, 1, seed=seed) for seed in (1, 1, 2))
    assert one.shape == (1, RATE // 2) and torch.equal(one, same) and not torch.equal(one, other)
