# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from server.audio import Clip
from server.methods import mend
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


def test_a_room_is_undone_as_it_is_heard_up_to_the_end(monkeypatch):
    """The gradients go where the normal equations of the cut convolution lead, in every channel by itself."""
    monkeypatch.setattr(mend, "CG_ROUNDS", 60)
    rng = np.random.default_rng(0)
    n, size, weight, left = 40, 128, 0.3, rng.standard_normal((2, 40))
    left[1] = 0.0
    response = rng.standard_normal(20) * 0.8 ** np.arange(20)
    cut = np.array([[response[i - k] if 0 <= i - k < 20 else 0.0 for k in range(n)] for i in range(n)])
    found = mend._missed(left, np.fft.rfft(response, size), weight, size)
    np.testing.assert_allclose(found[0], np.linalg.solve(cut.T @ cut + weight * np.eye(n), cut.T @ left[0]), atol=1e-9)
    assert not found[1].any()


def test_a_guessed_room_is_taken_out_of_the_pauses():
    dry = Clip(np.where(np.arange(RATE) % 8000 < 2000, 1, 0) * tone(700).samples, RATE)
    wet = reverberated(dry, parametric(0.5, RATE, seed=1))
    dried = mend.dried(wet, dry, parametric(0.5, RATE, seed=2), 0.5)
    pause = slice(4000, 7000)
    assert np.square(dried.samples[:, pause]).sum() < 0.02 * np.square(wet.samples[:, pause]).sum()
