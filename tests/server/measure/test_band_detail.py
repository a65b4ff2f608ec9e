# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest

from server.audio import Clip
from server.measure.band_detail import detail_kept

RATE = 16000
ENVELOPE = 0.5 + 0.5 * np.sin(2 * np.pi * 5 * np.arange(RATE) / RATE)


def clip(low: np.ndarray, high: np.ndarray) -> Clip:
    """Noise below and above 4 kHz, each in its envelope."""
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(size=RATE))
    below = np.fft.rfftfreq(RATE, 1 / RATE) < 4000
    made = low * np.fft.irfft(spectrum * below) + high * np.fft.irfft(spectrum * ~below)
    return Clip(0.1 * made[None].astype(np.float32), RATE)


def test_what_happens_in_a_band_counts_and_its_level_does_not():
    real = clip(ENVELOPE, ENVELOPE)
    assert detail_kept(real, real, 4000, 8000) == pytest.approx(1.0)
    assert detail_kept(clip(ENVELOPE, 3 * ENVELOPE), real, 4500, 8000) == pytest.approx(1.0, abs=0.02)
    flat = clip(ENVELOPE, np.ones(RATE))
    assert detail_kept(flat, real, 4500, 8000) < 0.5 < 0.95 < detail_kept(flat, real, 0, 3500)
    assert detail_kept(Clip(np.zeros((1, RATE), np.float32), RATE), real, 4000, 8000) == 0.0
