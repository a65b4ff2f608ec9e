# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip faster or slower at its own pitch, as hosts play warped regions (Rubber Band, by Pedalboard)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from server.audio import Clip, to_length

_LEAST_SAMPLES = 4096
"""Shorter clips come back empty or scrambled; they are stretched with silence behind them."""


def time_stretch(clip: Clip, playback_rate: float, n_samples: int) -> Clip:
    """The clip at `playback_rate` times its speed and its own pitch, `n_samples` long (cut, or silence at its end).

    Where a sound begins is kept to within some 10 ms: that is what the method gives, and not to the sample.
    """
    import pedalboard

    padded = to_length(clip, max(clip.n_samples, int(_LEAST_SAMPLES * max(1.0, playback_rate))))
    stretched = pedalboard.time_stretch(np.array(padded.samples), clip.sample_rate, playback_rate)
    return to_length(replace(clip, samples=stretched), n_samples)
