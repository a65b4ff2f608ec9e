# SPDX-License-Identifier: GPL-3.0-or-later
"""Undo a known room by its regularised inverse in the frequency domain (Kirkeby and Nelson 1999)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from server.audio import Clip

REGULARISATION = 1e-3


def dereverberate(clip: Clip, response: np.ndarray, regularisation: float = REGULARISATION) -> Clip:
    """The dry clip of a reverberant one: X = conj(H) Y / (|H|^2 + r mean |H|^2), padded against wrapping around.

    Args:
        response: the room's impulse response `[n]` at the clip's rate.
        regularisation: r, above 0.
    """
    size = 1 << (clip.n_samples + 2 * len(response)).bit_length()
    room = np.fft.rfft(response.astype(np.float64), size)
    power = np.square(np.abs(room))
    inverse = room.conj() / (power + regularisation * power.mean())
    dry = np.fft.irfft(np.fft.rfft(clip.samples.astype(np.float64), size) * inverse, size)
    return replace(clip, samples=dry[:, : clip.n_samples])
