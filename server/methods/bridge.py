# SPDX-License-Identifier: GPL-3.0-or-later
"""A rough bridge over a gap: what came before goes backward, what comes after comes backward, one fades into the other.

It is about as loud and as bright as the clip is there, which is what a model needs to begin with; by itself it would be
heard as a palindrome.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from server.audio import Clip
from server.methods import consistency


def bridged(clip: Clip, gaps_s: Sequence[tuple[float, float]]) -> Clip:
    """The clip, its gaps (start, end in seconds) filled with what is beside them, joined as `consistency.inpaint` does.

    Raises:
        InvalidOption: as `consistency.gap_samples`.
    """
    gaps = consistency.gap_samples(clip, gaps_s)
    edges = [0, *(edge for gap in gaps for edge in gap), clip.n_samples]
    filled = np.zeros_like(clip.samples)
    for number, (start, stop) in enumerate(gaps):
        before, after = clip.samples[:, edges[2 * number] : start], clip.samples[:, stop : edges[2 * number + 3]]
        length = stop - start
        turn = 0.5 * np.pi * (np.arange(length) + 0.5) / length
        leaving, coming = (np.cos(turn), np.sin(turn)) if before.size and after.size else (1.0, 1.0)
        filled[:, start:stop] = leaving * _mirrored(before, length) + coming * _mirrored(after[:, ::-1], length)[:, ::-1]
    return consistency.inpaint(clip, replace(clip, samples=filled), gaps_s)


def _mirrored(known: np.ndarray, length: int) -> np.ndarray:
    """What lies before the end of `known` [channels, time], backward, for `length` samples; silence where it is empty."""
    if not known.size:
        return np.zeros((known.shape[0], length), known.dtype)
    return np.pad(known, ((0, 0), (0, length)), mode="symmetric")[:, known.shape[1]:]
