# SPDX-License-Identifier: GPL-3.0-or-later
"""Undo an unknown room by weighted prediction error (Nakatani et al. 2010): late sound that earlier sound predicts goes.

In every frequency, the present frame is predicted from frames further back than the early reflections, each frame weighted
by one over its power; what was predicted is taken away, and the powers are those of what is left, in a few rounds. The
channels of a clip are one array, as in the paper.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from server.audio import Clip
from server.measure.baselines.short_time import analyse, synthesise

TAPS, DELAY, ROUNDS = 20, 3, 3
_FRAME_S = 0.032
_POWER_FLOOR, _RIDGE = 1e-8, 1e-6


def dereverberate(clip: Clip, taps: int = TAPS, delay: int = DELAY, rounds: int = ROUNDS) -> Clip:
    """The clip with less of its late reverberation: `taps` frames of 8 ms, `delay` frames and more back, predict it."""
    n_fft = 2 ** round(np.log2(_FRAME_S * clip.sample_rate))
    hop = n_fft // 4
    spectrum = analyse(clip.samples.astype(np.float64), n_fft, hop)  # [channels, frames, bins]
    heard = spectrum.transpose(2, 0, 1)
    dry = np.stack([_bin(each, taps, delay, rounds) for each in heard])
    return replace(clip, samples=synthesise(dry.transpose(1, 2, 0), n_fft, hop, clip.n_samples))


def _bin(heard: np.ndarray, taps: int, delay: int, rounds: int) -> np.ndarray:
    """One frequency, `[channels, frames]`."""
    past = _past(heard, taps, delay)
    floor = _POWER_FLOOR * np.square(np.abs(heard)).max() + 1e-20
    dry = heard
    for _ in range(rounds):
        weighted = past / np.maximum(np.square(np.abs(dry)).mean(axis=0), floor)
        correlation = weighted @ past.conj().T
        correlation += (_RIDGE * np.trace(correlation).real / len(correlation) + 1e-20) * np.eye(len(correlation))
        filters = np.linalg.solve(correlation, weighted @ heard.conj().T)
        dry = heard - filters.conj().T @ past
    return dry


def _past(heard: np.ndarray, taps: int, delay: int) -> np.ndarray:
    """`[channels * taps, frames]`: every channel `delay`, `delay + 1`, ... frames ago."""
    padded = np.pad(heard, ((0, 0), (delay + taps - 1, 0)))
    frames = heard.shape[1]
    return np.concatenate([padded[:, taps - 1 - k : taps - 1 - k + frames] for k in range(taps)])
