# SPDX-License-Identifier: GPL-3.0-or-later
"""Around the gaps: a dropout in a long take concerns a few seconds of it, and the model need not render the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from server.audio import Clip
from server.methods.consistency import gap_samples

CONTEXT_S = 3.0
"""Seconds on either side of a gap that the model hears; gaps nearer to each other than that are rendered together."""


@dataclass(frozen=True)
class Stretch:
    """A part [start, stop) of a clip in samples, and the gaps in it, (start, end) in seconds of the part."""

    start: int
    stop: int
    gaps_s: tuple[tuple[float, float], ...]

    def of(self, clip: Clip) -> Clip:
        """That part of the clip."""
        return replace(clip, samples=clip.samples[:, self.start : self.stop])

    def is_silent(self, clip: Clip) -> bool:
        """Whether nothing but silence is known around its gaps."""
        part = self.of(clip)
        known = np.ones(part.n_samples, bool)
        for start, stop in gap_samples(part, self.gaps_s):
            known[start:stop] = False
        return not part.samples[:, known].any()


def around(clip: Clip, gaps_s: Sequence[tuple[float, float]], context_s: float = CONTEXT_S) -> list[Stretch]:
    """The stretches of a clip that its gaps (start, end in seconds) and their neighbourhoods take up, in order.

    Raises:
        InvalidOption: as `consistency.gap_samples`.
    """
    reach, rate = round(context_s * clip.sample_rate), clip.sample_rate
    together: list[list[tuple[int, int]]] = []
    for gap in gap_samples(clip, gaps_s):
        if together and gap[0] - together[-1][-1][1] <= reach:
            together[-1].append(gap)
        else:
            together.append([gap])
    found = []
    for gaps in together:
        start, stop = max(0, gaps[0][0] - reach), min(clip.n_samples, gaps[-1][1] + reach)
        found.append(Stretch(start, stop, tuple(((a - start) / rate, (b - start) / rate) for a, b in gaps)))
    return found
