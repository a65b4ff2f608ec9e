# SPDX-License-Identifier: GPL-3.0-or-later
"""Every damage is what it says, and its classical method makes clips like those it was given."""

from __future__ import annotations

import numpy as np
import pytest

from server.audio import Clip
from server.kinds import parse_options
from server.measure.damages import TRIALS, Sample, in_known_room, in_unknown_room, noisy, summed, without_phase
from server.methods import room

RATE = 16000


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    rng = np.random.default_rng(0)
    made = [np.cumsum(rng.standard_normal((1, RATE // 2)), axis=1) for _ in range(3)]
    return [Sample(Clip(0.01 * (x - x.mean()), RATE), words) for x, words in zip(made, ("one", "one", "two"), strict=True)]


@pytest.mark.parametrize("title", TRIALS)
def test_a_trial_is_a_job_that_restore_takes(samples, title) -> None:
    damage = TRIALS[title].damage(samples, 1)
    roles = frozenset(damage.clips) | frozenset(damage.files)
    parse_options("restore", {"task": TRIALS[title].task, **damage.options}, roles)
    classical = damage.classical()
    assert len(damage.real) == len(damage.nothing) == len(classical)
    for real, nothing, made in zip(damage.real, damage.nothing, classical, strict=True):
        assert real.samples.shape == nothing.samples.shape == made.samples.shape
        assert np.isfinite(made.samples).all() and not np.array_equal(real.samples, nothing.samples)


def test_a_gap_is_silent_in_its_excerpt_and_nowhere_else(samples) -> None:
    damage = TRIALS["inpaint 200 ms"].damage(samples, 0)
    start, stop = damage.excerpt
    assert stop - start == round(0.2 * RATE) and not damage.nothing[0].samples[:, start:stop].any()
    outside = np.r_[0:start, stop : RATE // 2]
    assert np.array_equal(damage.nothing[0].samples[:, outside], damage.real[0].samples[:, outside])


def test_the_room_is_told_or_not_and_is_none_that_restore_makes_up(samples) -> None:
    told, not_told = in_known_room(samples, 0), in_unknown_room(samples, 0)
    assert "room" in told.clips and set(not_told.clips) == {"clip"}
    assert np.array_equal(told.clips["clip"].samples, not_told.clips["clip"].samples)
    assert not np.allclose(told.clips["room"].samples[0], room.parametric(0.8, RATE))
    assert not np.allclose(told.clips["room"].samples, in_known_room(samples, 1).clips["room"].samples)


def test_the_magnitudes_are_the_real_ones_and_the_phases_are_gone(samples) -> None:
    damage = without_phase(samples, 0)
    assert damage.files["magnitude"].shape == (1, 513, RATE // 2 // 256 + 1)
    broken, real = damage.nothing[0].samples.ravel(), damage.real[0].samples.ravel()
    assert abs(np.corrcoef(broken, real)[0, 1]) < 0.5
    assert np.array_equal(damage.clips["clip"].samples.ravel(), broken), "the job must not see the real phases"


def test_a_mixture_is_of_different_words_and_its_stems_sum_to_it(samples) -> None:
    damage = summed(samples, 0)
    assert damage.options["stem"] == ["one", "two"]
    np.testing.assert_allclose(damage.real[0].samples + damage.real[1].samples, damage.clips["clip"].samples, atol=1e-6)


def test_noise_is_ten_db_below_the_clip(samples) -> None:
    damage = noisy(samples, 0)
    noise = damage.nothing[0].samples - damage.real[0].samples
    assert 10 * np.log10(np.square(damage.real[0].samples).mean() / np.square(noise).mean()) == pytest.approx(10, abs=0.01)
