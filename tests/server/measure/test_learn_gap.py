# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest

from server.measure import learn_gap
from server.measure.bench import Bench
from server.measure.learn_gap import Plan
from server.measure.prompts import prompt_of
from server.measure.studio import Studio
from server.models import tiny
from server.models.loading import load


def test_every_clip_has_its_distances_and_the_share_that_is_closed(bench):
    learn = {"learn_steps": 3, "learn_rate": 0.1, "full": True}
    figures = learn_gap.measure(bench, Plan(clips=2, seconds=0.3, learn=learn))
    assert json.loads(json.dumps(figures)) == figures
    assert len(figures["clips"]) == 2
    for row in figures["clips"]:
        assert row["prompt"] == prompt_of(row["class"]) != row["class"]
        # A toy's autoencoder is no better than its noise, so only the arithmetic is held.
        wanted = (row["prompt_nat"] - row["learned_nat"]) / (row["prompt_nat"] - row["round_trip_nat"])
        assert row["closed"] == pytest.approx(wanted, rel=0.05, abs=0.02)
        assert row["learned_nat"] != row["prompt_nat"]
    assert figures["worst"] == min(row["closed"] for row in figures["clips"])
    assert [learn_gap.findings(figures | {"mean": share})[0].met for share in (0.71, 0.69)] == [True, False]
    assert len(learn_gap.lines(figures)) == 4


def test_a_model_without_mels_is_measured_by_its_sound(sounds, tmp_path: Path):
    folder = tiny.build("stable_audio", tmp_path / "waveform")
    with Studio(load(str(folder), device="cpu", window="cropped")) as studio:
        bench = Bench(studio, tmp_path, held_out=sounds, seed=5)
        figures = learn_gap.measure(bench, Plan(clips=1, seconds=0.2, learn={"learn_steps": 1, "rank": 2}))
    assert figures["clips"][0]["round_trip_nat"] > 0
