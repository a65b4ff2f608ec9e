# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np

from server.audio import Clip
from server.methods.consistency import gap_samples
from server.methods.stretches import around


def test_near_gaps_share_a_stretch_and_far_ones_do_not():
    clip = Clip(np.arange(40_000, dtype=np.float32)[None] / 4e4, 4000)
    first, second = around(clip, [(0.5, 0.7), (1.3, 1.5), (7.0, 7.1)], context_s=1.0)
    assert (first.start, first.stop, second.start, second.stop) == (0, 10_000, 24_000, 32_400)
    part = second.of(clip)
    assert part.samples[0, 0] == clip.samples[0, 24_000]
    assert gap_samples(part, second.gaps_s) == [(4000, 4400)]
    assert gap_samples(first.of(clip), first.gaps_s) == [(2000, 2800), (5200, 6000)]


def test_silence_is_what_is_known_of_a_gap_in_silence():
    samples = np.zeros((1, 8000), np.float32)
    samples[:, 3000:3500] = 1.0  # in the gap, where nothing counts
    clip = Clip(samples, 4000)
    (stretch,) = around(clip, [(0.75, 0.875)], context_s=0.5)
    assert stretch.is_silent(clip)
    samples[:, 2900] = 0.1
    assert not around(Clip(samples, 4000), [(0.75, 0.875)], context_s=0.5)[0].is_silent(Clip(samples, 4000))
