# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest

from server.audio import Clip
from server.measure import timbre
from server.measure.embedded_embedding import EmbeddedEmbedding, embed
from server.measure.embedding import audio_agreement, frechet_audio_distance
from server.measure.lpaps import lpaps

RATE, HEARS = 16000, EmbeddedEmbedding()


def tone(hz: float, seconds: float = 1.0) -> Clip:
    return Clip(0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)[None], RATE)


def noise(seed: int, seconds: float = 1.0) -> Clip:
    return Clip(0.1 * np.random.default_rng(seed).normal(size=(1, round(seconds * RATE))), RATE)


def test_vectors_are_timbre_1_and_one_for_ten_seconds() -> None:
    assert embed([tone(440), noise(0, 12)]).shape == (3, 184)
    assert audio_agreement(HEARS, tone(440), noise(0)) == pytest.approx(timbre.similarity(tone(440), noise(0)), abs=0.02)
    assert audio_agreement(HEARS, noise(0), noise(0)) == pytest.approx(1)


def test_frechet_distance_is_smaller_between_sets_of_one_kind() -> None:
    tones, others, hisses = ([make(k) for k in range(first, first + 4)] for make, first in
                             ((lambda k: tone(300 + 20 * k), 0), (lambda k: tone(310 + 20 * k), 0), (noise, 0)))
    assert frechet_audio_distance(HEARS, tones, others) < 0.2 * frechet_audio_distance(HEARS, tones, hisses)


def test_stages_of_the_shipped_encoder_tell_sounds_apart() -> None:
    (found,) = HEARS.stages(tone(440, 0.5))
    assert [stage.shape[1] for stage in found] == sorted(stage.shape[1] for stage in found) and len(found) == 4
    assert [len(found[k]) for k in (0, 1, 2)] == [4 * len(found[k + 1]) for k in (0, 1)] + [len(found[3])]
    near, far = (lpaps(HEARS, other, noise(0)) for other in (noise(1), tone(440)))
    assert 0 < near < 0.5 * far and lpaps(HEARS, noise(0), noise(0)) == pytest.approx(0, abs=1e-6)
    assert lpaps(HEARS, tone(440), noise(0), "published") != pytest.approx(far, rel=0.01)
