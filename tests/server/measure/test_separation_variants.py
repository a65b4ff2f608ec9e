# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest

from server.audio import resample, to_channels
from server.measure import probes
from server.measure import separation_variants as variants
from server.measure.bench import Bench
from server.measure.embedded_embedding import EmbeddedEmbedding


def test_comparisons_are_exact_for_the_sources_themselves(two_tones):
    sources = list(two_tones.stems.values())
    found = variants._figures(EmbeddedEmbedding(), [two_tones], [sources], [sources])
    assert found["agreement"] == pytest.approx(1) and found["stages"] == found["frechet"] == 0 and found["gain_db"] > 60
    mixed_up = [[two_tones.clip] * 2]
    assert variants._figures(EmbeddedEmbedding(), [two_tones], mixed_up, mixed_up)["agreement"] < 0.95


def test_a_round_trip_that_changes_nothing_has_the_mixture_s_figures(two_tones, bench: Bench, monkeypatch):
    monkeypatch.setattr(probes, "round_trip", lambda backbone, clip: clip)
    found = variants.round_trips(bench, [two_tones])
    assert found[variants.MIXTURE] == found[variants.ROUND_TRIP]
    assert found[variants.MIXTURE][0] == pytest.approx(0, abs=1) and found[variants.MIXTURE][2] > 40


def test_a_round_trip_may_come_back_at_another_rate_in_stereo(two_tones, bench: Bench, monkeypatch):
    monkeypatch.setattr(probes, "round_trip", lambda backbone, clip: to_channels(resample(clip, 44100), 2))
    found = variants.round_trips(bench, [two_tones])
    assert found[variants.ROUND_TRIP][:2] == pytest.approx(found[variants.MIXTURE][:2], abs=0.5)
    assert found[variants.ROUND_TRIP][2] > 40


def test_a_random_prompt_is_of_what_is_not_there(two_tones):
    assert variants._spoken({"stem": "random"}, two_tones, ["low", "high", "rain"]) == {"stem": ("rain", "rain")}
    assert variants._spoken({"guidance": 2.0}, two_tones, []) == {"guidance": 2.0}


def test_parts_of_the_editor_by_components_are_cut_out_of_the_mixture_and_put_in_the_order_of_the_stems(two_tones, bench):
    found = variants.by_editor(bench, two_tones, {"steps": 4, "guidance": 1.0})
    assert len(found.generated) == len(found.masked) == 2
    for part, masked in zip(found.generated, found.masked, strict=True):
        assert part.samples.shape == masked.samples.shape == two_tones.clip.samples.shape
        assert np.abs(masked.samples).max() <= 2 * np.abs(two_tones.clip.samples).max()
    assert variants._order(found.masked, two_tones) == [0, 1] and variants._order(found.masked[::-1], two_tones) == [1, 0]
