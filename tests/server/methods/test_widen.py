# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from server.audio import Clip
from server.methods.consistency import filtered, low_pass
from server.methods.widen import slope_db, widened

RATE = 16000


def test_a_line_through_decibels():
    bins = torch.arange(10, 80)
    assert slope_db(bins.float() ** -4.0, bins) == pytest.approx(-12.04, abs=0.01)
    assert slope_db(torch.ones(70), bins) == -6.0


def test_the_top_of_a_falling_spectrum_comes_back_about_as_loud():
    white = np.random.default_rng(0).standard_normal((1, 2 * RATE))
    size = white.shape[1]
    hz = np.fft.rfftfreq(size, 1 / RATE)
    swell = np.sin(np.linspace(0, np.pi, size))
    falling = swell * np.fft.irfft(np.fft.rfft(white) / np.maximum(hz, 50.0) ** 2 * 2500, size)  # -12 dB an octave
    whole = Clip(falling, RATE)
    dull = replace(whole, samples=filtered(whole.samples, low_pass(2900.0, 3000.0, RATE)))
    found = widened(dull, 2900.0)
    for low, high in ((3200, 4000), (4000, 6000), (6000, 7500)):
        band = (hz > low) & (hz < high)
        levels = [10 * np.log10(np.square(np.abs(np.fft.rfft(clip.samples[0] * swell)[band])).mean())
                  for clip in (whole, found)]
        assert levels[1] == pytest.approx(levels[0], abs=3.0)
    inner = slice(2000, -2000)
    low = low_pass(2500.0, 2900.0, RATE)
    np.testing.assert_allclose(filtered(found.samples, low)[:, inner], filtered(dull.samples, low)[:, inner], atol=1e-4)
