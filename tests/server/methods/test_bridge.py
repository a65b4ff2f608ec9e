# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest

from server.audio import Clip
from server.methods.bridge import bridged


@pytest.mark.parametrize("gap", [(0.4, 0.6), (0.0, 0.3), (0.7, 1.0), (0.2, 0.95)])
def test_a_gap_is_as_loud_as_what_is_around_it_and_the_rest_stays(gap):
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 8000))
    start, stop = (round(8000 * second) for second in gap)
    holed = noise.copy()
    holed[:, start:stop] = 0.0
    clip = Clip(holed, 8000)
    filled = bridged(clip, [gap]).samples
    outside = np.r_[0:start, stop:8000]
    np.testing.assert_array_equal(filled[:, outside], clip.samples[:, outside])
    assert filled[:, start + 200 : stop - 200].std() == pytest.approx(0.1, rel=0.2)
