# SPDX-License-Identifier: GPL-3.0-or-later
"""Agreement, variety and copies on a model that cannot sing: what they answer is checked, not how good it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from server.audio import Clip
from server.measure import agreement, copies, judge, variety
from server.measure.bench import Bench
from server.measure.generated import Plan, generated
from server.measure.mel_classifier import Course
from server.measure.probes import of_row
from server.models.embedded.corpus import Corpus

PLAN = Plan(clips=2, seconds=1.0, steps=2)
QUICK = judge.Plan(corpus_clips=2, through=1, test_clips=1, course=Course(steps=10, batch=8))
CLASSES = {"rain", "flute", "drum", "drone"}


def test_clips_are_made_once_and_by_their_class_s_own_seed(full_bench: Bench) -> None:
    both = generated(full_bench, ["rain", "drone"], PLAN)
    files = {path: path.stat().st_mtime_ns for path in full_bench.folder.rglob("*.wav")}
    again = generated(full_bench, ["drone"], PLAN)
    assert len(files) == 4 and files == {path: path.stat().st_mtime_ns for path in full_bench.folder.rglob("*.wav")}
    assert np.array_equal(both["drone"][1].samples, again["drone"][1].samples)
    assert not np.array_equal(both["drone"][0].samples, both["drone"][1].samples)
    assert not np.array_equal(both["drone"][0].samples, both["rain"][0].samples)


def test_agreement_counts_what_the_judge_hears(full_bench: Bench) -> None:
    found = agreement.measure(full_bench, PLAN, QUICK)
    assert {row["class"] for row in found["classes"]} == CLASSES and found["clips"] == 8
    hits = sum(heard == row["class"] for row in found["classes"] for heard in row["heard"])
    assert found["top1"] == hits / 8 and found["top3"] >= found["top1"]
    assert sum(group["clips"] for group in found["groups"].values()) == 8
    assert sum(times for _, _, times in found["confusions"]) == 8 - hits
    table = agreement.lines(found)
    assert len({line.count("|") for line in table[:7]}) == 1
    assert agreement.findings(found)[0].met == (found["top1"] >= 0.5)
    assert (full_bench.folder / agreement.PICTURE).stat().st_size > 10_000


def test_variety_compares_pairs_of_generated_with_pairs_of_real(full_bench: Bench) -> None:
    found = variety.measure(full_bench, PLAN, real_clips=3)
    assert set(found["by_class"]) == CLASSES
    row = found["by_class"]["rain"]
    assert row["real"] == "corpus"  # two held-out recordings are too few
    assert row["mel_ratio"] == pytest.approx(row["mel_generated"] / row["mel_real"], abs=1e-3)
    assert found["mel_ratio"] == pytest.approx(np.median([r["mel_ratio"] for r in found["by_class"].values()]), abs=1e-3)
    assert len({line.count("|") for line in variety.lines(found)}) == 1
    met = variety.findings(found)[0].met
    assert met == (found["mel_ratio"] >= 0.5 and found["timbre_ratio"] >= 0.5)


def test_the_mel_distance_is_blind_to_level_and_to_a_moment_s_shift() -> None:
    mel = torch.randn(128, 64, generator=torch.Generator().manual_seed(0))
    assert variety.mel_distance(mel, mel + 2) == pytest.approx(0, abs=1e-5)
    assert variety.mel_distance(mel, mel.roll(10, 0)) < 0.2 < 0.9 < variety.mel_distance(mel, mel.flip(0))


def test_a_training_clip_is_found_again_though_later_softer_and_a_little_higher(full_bench: Bench) -> None:
    corpus = full_bench.need_corpus()
    trained = [row for row in corpus.of_split("train") if corpus.names[corpus.items[row]["class"]] == "drum"]
    known = torch.fft.rfft(copies._of_rows(corpus, trained), copies.SHIFT_LENGTH, dim=1)
    clip = of_row(corpus, trained[2]).clip
    late = Clip(0.3 * clip.samples[:, 32000:128000], 32000)
    (near, at), (far, _) = (copies._nearest(known, one) for one in
                            (late, Clip(np.random.default_rng(0).normal(0, 0.1, (1, 96000)), 32000)))
    assert at == 2 and near < 0.4 < far


def test_copies_names_the_nearest_training_clip_and_draws_it(full_bench: Bench) -> None:
    found = copies.measure(full_bench, PLAN, unseen_clips=2)
    assert set(found["by_class"]) == CLASSES and found["clips"] == 8
    row = found["by_class"]["rain"]
    assert row["training_clips"] == 4 and row["test"]["clips"] == 2 and row["recordings"]["clips"] == 2
    assert all(clip["nearest"].startswith("corpus train: train-rain") for clip in row["generated"])
    assert "recordings" not in found["by_class"]["drone"]
    assert found["nearest"]["distance"] == min(c["distance"] for r in found["by_class"].values() for c in r["generated"])
    assert (full_bench.folder / found["nearest"]["picture"]).stat().st_size > 10_000
    assert copies.lines(found)[-1].endswith("(nearest.png).")
    assert len({line.count("|") for line in copies.lines(found)[:6]}) == 1


def test_a_copy_is_told(full_bench: Bench, corpus: Corpus) -> None:
    unseen = {"clips": 2, "median": 0.6, "nearest": 0.5}
    rows = {"rain": {"generated": [{"distance": 0.1, "nearest": "x"}, {"distance": 0.7, "nearest": "y"}], "test": unseen},
            "drum": {"generated": [{"distance": 0.4, "nearest": "x"}], "test": unseen}}
    found = copies._overall(rows)
    assert (found["copies"], found["copied_classes"], found["nearer_than_any_unseen"]) == (1, ["rain"], 2)
    row = copies.findings(found)[0]
    assert row.met is False and row.figure.startswith("1 of 3 clips (rain)")
