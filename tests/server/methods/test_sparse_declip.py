# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import numpy as np

from server.audio import Clip
from server.methods.sparse_declip import declipped

RATE = 16000


def chord() -> Clip:
    time_s = np.arange(RATE // 2) / RATE
    return Clip(sum(0.3 * np.sin(2 * np.pi * hz * time_s + hz) for hz in (220, 331, 477))[None], RATE)


def error_db(clip: Clip, of: Clip) -> float:
    return 20 * np.log10(np.linalg.norm(clip.samples - of.samples) / np.linalg.norm(of.samples))


def test_tones_are_found_again_and_the_rest_stays_as_it_is():
    whole = chord()
    clip = replace(whole, samples=whole.samples.clip(-0.4, 0.4))
    clipped = np.abs(clip.samples) >= 0.4
    flat = replace(whole, samples=np.full_like(whole.samples, 1e-3))  # a model that says nothing
    found = declipped(clip, flat, clipped)
    np.testing.assert_array_equal(found.samples[~clipped], clip.samples[~clipped])
    assert np.abs(found.samples[clipped]).min() >= np.float32(0.4)
    assert error_db(clip, whole) > -13 and error_db(found, whole) < -25
    assert error_db(declipped(clip, whole, clipped), whole) < error_db(found, whole), "a model that knows helps"
