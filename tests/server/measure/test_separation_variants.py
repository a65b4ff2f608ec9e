# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses

import pytest

from server.audio import resample, to_channels
from server.measure import probes
from server.measure import separation_variants as variants
from server.measure.bench import Bench
from server.measure.datasets.mixture import Mixture
from server.measure.embedded_embedding import EmbeddedEmbedding
from server.methods.context import Output


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


class _Varying:
    """A studio whose `vary` gives the stems themselves back, the last one first."""

    def __init__(self, bench: Bench, mixture: Mixture) -> None:
        self.backbone, self.mixture, self.asked = bench.backbone, mixture, {}

    def __call__(self, kind: str, clips, **options) -> list[Output]:
        self.asked = {"kind": kind, **options}
        stems = [Output("variation", label, stem) for label, stem in self.mixture.stems.items()]
        return [*stems[::-1], Output("directions", "directions", data=b"")]


def test_ways_along_components_are_parts_in_the_order_of_the_stems(two_tones, bench: Bench, monkeypatch):
    monkeypatch.setattr(probes, "round_trip", lambda backbone, clip: clip)
    varying = _Varying(bench, two_tones)
    found = variants.by_editor(dataclasses.replace(bench, studio=varying), two_tones, {"steps": 4, "guidance": 1.0})
    assert varying.asked == {"kind": "vary", "seed": 5, "directions": 1, "steps": 4}, "guidance of separate is not of vary"
    assert list(found.generated) == list(two_tones.stems.values())
    assert min(variants.gains_db(two_tones, found.masked)) > 20
