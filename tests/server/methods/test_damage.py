# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from server.audio import Clip
from server.errors import InvalidOption
from server.methods.consistency import filtered, low_pass
from server.methods.damage import band_end_hz, clip_level, clipped_samples, noise_power, per_sample


def white(deviation: float = 0.1, seconds: float = 4.0, rate: int = 16000) -> Clip:
    return Clip(deviation * np.random.default_rng(1).standard_normal((1, round(seconds * rate))), rate)


def test_a_band_ends_where_its_filter_did():
    clip = white()
    narrow = replace(clip, samples=filtered(clip.samples, low_pass(3000.0, 3200.0, 16000)))
    assert band_end_hz(narrow) == pytest.approx(3150, abs=100)
    with pytest.raises(InvalidOption, match=r"reaches 8000 Hz.*--cutoff-hz"):
        band_end_hz(clip)


def test_a_clip_level_is_its_largest_sample_if_it_stays_there():
    clip = white()
    level = clip_level(replace(clip, samples=clip.samples.clip(-0.12, 0.12)))
    assert level == pytest.approx(0.12)
    assert clipped_samples(clip, 0.12).sum() == (np.abs(clip.samples) >= 0.11988).sum()
    with pytest.raises(InvalidOption, match="does not seem to be clipped.*--clip-level"):
        clip_level(clip)
    with pytest.raises(InvalidOption, match="No sample reaches 3"):
        clipped_samples(clip, 3.0)


def test_steady_noise_is_measured_under_a_sound_that_pauses():
    clip = white(0.05)
    time_s = np.arange(clip.n_samples) / clip.sample_rate
    tone = 0.5 * np.sin(2 * np.pi * 440 * time_s) * (time_s % 1.0 < 0.6)
    level = per_sample(noise_power(replace(clip, samples=clip.samples + tone)), clip.sample_rate)
    assert float(level.mean()) == pytest.approx(0.05**2, rel=0.25)
    assert float(level.max()) < 2.5 * 0.05**2, "no tone in it"
