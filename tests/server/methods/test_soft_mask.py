# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from server.audio import Clip
from server.methods import mend, soft_mask
from server.methods.room import parametric, reverberated

RATE = 16000


def tone(hz: float, channels: int = 1) -> Clip:
    time_s = np.arange(RATE) / RATE
    return Clip(np.tile(0.3 * np.sin(2 * np.pi * hz * time_s), (channels, 1)), RATE)


def near(a: Clip, b: Clip) -> float:
    """dB of the error, away from the ends."""
    inner = slice(2000, -2000)
    error = np.square(a.samples[:, inner] - b.samples[:, inner]).mean()
    return 10 * np.log10(error / np.square(b.samples[:, inner]).mean())


def test_two_tones_are_divided_and_add_up_to_the_clip():
    low, high = tone(300, 2), tone(2000, 2)
    mixture = replace(low, samples=low.samples + high.samples)
    # What the model made has another phase, which must not matter.
    stems = mend.divided(mixture, [replace(low, samples=-low.samples), replace(high, samples=np.roll(high.samples, 3, 1))])
    assert near(stems[0], low) < -30 and near(stems[1], high) < -30
    np.testing.assert_allclose(stems[0].samples + stems[1].samples, mixture.samples, atol=1e-6)


def test_noise_is_taken_out_where_the_model_hears_nothing():
    sound = tone(500)
    noise = 0.03 * np.random.default_rng(0).standard_normal(sound.samples.shape)
    noisy = replace(sound, samples=sound.samples + noise)
    clean = mend.denoised(noisy, sound)
    assert near(noisy, sound) == pytest.approx(-17, abs=1) and near(clean, sound) < -30


def test_a_known_room_is_undone_where_it_can_be():
    dry = Clip(0.1 * np.random.default_rng(0).standard_normal((1, RATE)), RATE)
    response = parametric(0.3, RATE, seed=1, direct_db=6.0)
    wet = reverberated(dry, response)
    silence = replace(dry, samples=np.zeros_like(dry.samples))
    assert near(mend.unconvolved(wet, silence, response), dry) < -20 < near(wet, dry)
    assert near(mend.unconvolved(wet, dry, response), dry) < near(mend.unconvolved(wet, silence, response), dry)


def test_a_guessed_room_is_taken_out_of_the_pauses():
    dry = Clip(np.where(np.arange(RATE) % 8000 < 2000, 1, 0) * tone(700).samples, RATE)
    wet = reverberated(dry, parametric(0.5, RATE, seed=1))
    dried = mend.dried(wet, dry, parametric(0.5, RATE, seed=2))
    pause = slice(4000, 7000)
    assert np.square(dried.samples[:, pause]).sum() < 0.02 * np.square(wet.samples[:, pause]).sum()


def test_magnitudes_are_taken_over_and_phases_kept():
    soft = tone(440)
    loud = replace(soft, samples=-2.0 * soft.samples)
    taken = soft_mask.with_magnitudes_of(soft, loud)
    assert near(taken, replace(soft, samples=2.0 * soft.samples)) < -40


def test_a_blend_is_a_share_of_each():
    a, b = tone(300), tone(400)
    np.testing.assert_allclose(mend.blended(a, b, 0.25).samples, 0.75 * a.samples + 0.25 * b.samples, atol=1e-7)
    assert mend.blended(a, b, 1.0) is b
