# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest

from server.audio import Clip, resample
from server.measure import timbre

RATE = 16000
NOISE = np.random.default_rng(0).normal(size=3 * RATE)
T = np.arange(3 * RATE) / RATE


def clip(samples) -> Clip:
    return Clip(0.1 * np.asarray(samples)[None], RATE)


def test_the_same_clip_is_one_at_any_level_rate_and_place():
    hiss = clip(NOISE * np.exp(-T))
    assert timbre.similarity(hiss, hiss) == pytest.approx(1.0)
    assert timbre.similarity(hiss, Clip(hiss.samples * 0.01, RATE)) == pytest.approx(1.0, abs=1e-3)
    assert timbre.similarity(hiss, resample(hiss, 44100)) > 0.98


def test_it_hears_spectrum_and_movement():
    hiss, hum = clip(NOISE), clip(sum(np.sin(2 * np.pi * 110 * k * T) / k for k in range(1, 6)))
    pulsed = clip(NOISE * (np.sin(2 * np.pi * 4 * T) > 0))
    other_hiss = clip(np.random.default_rng(1).normal(size=3 * RATE))
    assert timbre.similarity(hiss, other_hiss) > 0.95
    assert timbre.similarity(hiss, hum) < 0.6
    assert timbre.similarity(hiss, pulsed) < timbre.similarity(hiss, other_hiss) - 0.1


def test_a_very_short_clip_has_a_place_too():
    assert np.isfinite(timbre.embed(clip(NOISE[:100]))).all()


def test_the_shipped_constants_state_their_figure():
    stored = json.loads(files("server.measure").joinpath("timbre.json").read_text())
    assert stored["name"] == timbre.NAME and 0.75 < stored["auc"] < 1.0
    assert len(stored["mean"]) == len(stored["deviation"]) == len(timbre.features(clip(NOISE)))
