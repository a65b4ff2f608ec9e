# SPDX-License-Identifier: GPL-3.0-or-later
"""The measurement runs on a model that cannot sing: what it answers is checked, not how good it is."""

from __future__ import annotations

import dataclasses
import json

import pytest

from server.measure import fusion_figures
from server.measure.bench import Bench, NotMeasured
from server.measure.fusion_figures import PICTURE, Plan


@pytest.fixture(scope="module")
def measured(studio, sounds, tmp_path_factory):
    told = []
    bench = Bench(studio, tmp_path_factory.mktemp("bench"), held_out=sounds, seed=5,
                  report=lambda *words: told.append(words[:2]))
    figures = fusion_figures.measure(bench, Plan(clips=1, seconds=0.3, steps=4, snr_db=(-20.0, 5.0)))
    return figures, told, bench.folder


def test_every_panel_has_its_means(measured):
    figures, told, folder = measured
    assert json.loads(json.dumps(figures)) | {"plan": None} == figures | {"plan": None}
    assert told == [(k, 5) for k in range(5)] and len(figures["clips"]) == 1
    assert set(figures["variants"]) == {"clean", "shared_noise", "literal", "forward", "noisy", "noisy_single"}
    assert all(len(curve[name]) == 2 for panel in ("variants", "orders") for curve in figures[panel].values()
               for name in ("nat", "lsd", "likeness"))
    assert list(figures["orders"]) == ["1", "2", "3", "3 of diffusers"]
    assert figures["orders"]["3"] != figures["orders"]["3 of diffusers"]
    kept = figures["blur"]["kept"]
    assert all(-1 <= kept[name][band] <= 1 for name in ("autoencoder", "null_prompt") for band in ("highs", "lows"))
    assert figures["variants"]["clean"] == figures["orders"]["2"], "the usual order, and the usual inversion"
    assert figures["retraced"]["ode"]["growth"] == pytest.approx(1, abs=1e-3)
    assert figures["retraced"]["sde"]["growth"] > 10
    assert all(one["nat"] > 0 and -1 <= one["likeness"] <= 1 for one in figures["starts"].values())
    assert (folder / PICTURE).stat().st_size > 1000


def test_means_are_taken_place_by_place():
    rows = [{"a": [1.0, 2.0], "b": {"c": 0.0}}, {"a": [3.0, 4.0], "b": {"c": 1.0}}]
    assert fusion_figures._mean(rows) == {"a": [2.0, 3.0], "b": {"c": 0.5}}
    assert fusion_figures._mean([[1.0, 2.0], [None, 4.0]]) == [None, 3.0]


def test_orderings_are_judged_as_the_paper_states_them(measured):
    figures, _, _ = measured
    good = figures | {
        "variants": {mode: {"nat": [value]} for mode, value in {"clean": 1, "forward": 2, "noisy": None}.items()},
        "starts": {name: {"likeness": value} for name, value in
                   {"scratch": 0.3, "inverted": 0.35, "audio_to_audio": 0.32}.items()},
        "orders": {"1": {"nat": [2, 1]}, "2": {"nat": [2, 1]}, "3": {"nat": [2, 1]}, "3 of diffusers": {"nat": [3, 2]}},
        "blur": {"highs_db": {"autoencoder": -3.0, "null_prompt": 2.0},
                 "kept": {"autoencoder": {"highs": 0.9, "lows": 0.9}, "null_prompt": {"highs": 0.2, "lows": 0.4}}},
        "retraced": {"ode": {"error": 1e-6}}}
    assert [row.met for row in fusion_figures.findings(good)] == [True] * 6
    bad = good | {"starts": good["starts"] | {"inverted": {"likeness": 0.9}},
                  "orders": good["orders"] | {"1": {"nat": [1, 2]}, "3 of diffusers": {"nat": [2, 1]}}}
    assert [row.met for row in fusion_figures.findings(bad)] == [True, False, True, False, False, True]


def test_it_is_told_as_markdown(measured):
    lines = fusion_figures.lines(measured[0])
    assert "| | -20 dB | 5 dB |" in lines
    assert [line.split(" |")[0] for line in lines if line.startswith("| clean")] == [
        "| clean (a)", "| clean, order 1", "| clean, order 2", "| clean, order 3", "| clean, order 3 of diffusers"]


def test_without_held_out_sounds_it_says_how_to_get_them(bench):
    with pytest.raises(NotMeasured, match="server.measure.fetch"):
        fusion_figures.measure(dataclasses.replace(bench, held_out=None))
