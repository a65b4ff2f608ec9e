# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill a gap by linear prediction from both sides, crossfaded over the gap (Kauppinen and Roth 2002)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from server.audio import Clip
from server.methods.consistency import gap_samples
from server.methods.linear_prediction import extrapolate

ORDER = 512
CONTEXT_S = 0.25


def fill(clip: Clip, gaps_s: Sequence[tuple[float, float]]) -> Clip:
    """The clip with each gap predicted from up to 0.25 s before and after it; what it held there is not looked at.

    Raises:
        InvalidOption: as `gap_samples`.
    """
    gaps = gap_samples(clip, gaps_s)
    samples, edges = clip.samples.copy(), [0, *(edge for gap in gaps for edge in gap), clip.n_samples]
    reach = round(CONTEXT_S * clip.sample_rate)
    for number, (start, stop) in enumerate(gaps):
        n = stop - start
        comes_in = 0.5 - 0.5 * np.cos(np.pi * (np.arange(n) + 0.5) / n)
        before = clip.samples[:, max(edges[2 * number], start - reach) : start]
        after = clip.samples[:, stop : min(edges[2 * number + 3], stop + reach)]
        for channel in range(clip.channels):
            left = extrapolate(before[channel], n, ORDER)
            right = extrapolate(after[channel, ::-1], n, ORDER)[::-1]
            samples[channel, start:stop] = (1 - comes_in) * left + comes_in * right
    return replace(clip, samples=samples)
