# SPDX-License-Identifier: GPL-3.0-or-later
"""The measurements run on a model that cannot sing: what they answer is checked, not how good it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from server.models.embedded import evaluate
from server.models.embedded.corpus import Corpus
from server.models.embedded.evaluate import Bench, Trial
from server.models.embedded.judge import Judge, clips_of, even_rows
from server.models.embedded.picture import draw
from server.models.embedded.report import report
from server.models.mel_backbone import MelBackbone

if TYPE_CHECKING:
    from .conftest import Trained

NAMES = ["struck metal", "drone", "rain"]


@pytest.fixture(scope="module")
def bench(tiny_model: MelBackbone, corpus: Corpus) -> Bench:
    return Bench(tiny_model, corpus, even_rows(corpus, "test", 1, seed=0))


@pytest.fixture(scope="module")
def figures(bench: Bench) -> dict:
    torch.manual_seed(0)
    found, first = evaluate.text(bench, Judge(3).eval(), Trial(clips=2, steps=2, seed=1), best_clips=1)
    assert sorted(first) == sorted(NAMES)
    return {"rebuild": evaluate.rebuild(bench), "vocoder": evaluate.vocoder(bench, 1), "text": found}


def test_every_class_has_its_figures(figures: dict) -> None:
    def per_class(found: dict) -> Sequence[float]:
        assert list(found["by_class"]) == NAMES
        return list(found["by_class"].values())

    assert figures["rebuild"]["nat"] == pytest.approx(np.mean(per_class(figures["rebuild"])), abs=1e-3)
    vocoder = figures["vocoder"]
    # an untrained vocoder is far from any sound, Griffin-Lim is not, and setting its levels right helps it
    assert max(vocoder["griffin_lim"]["mean"], vocoder["vocoder"]["mean"]) < vocoder["vocoder_alone"]["mean"]
    assert 0 <= vocoder["vocoder_nearer"] <= 1
    assert len(per_class(vocoder["griffin_lim"])) == 3
    assert figures["text"]["judge"]["chance"] == pytest.approx(1 / 3, abs=1e-3)


def test_the_share_counts_the_clips_heard_as_asked(figures: dict) -> None:
    trial = figures["text"]["all"]
    assert trial["clips"] == 6 and [p["class"] for p in trial["prompts"]] == ["struck metal", "drone", "rain"]
    hits = sum(heard == p["class"] for p in trial["prompts"] for heard in p["heard"])
    assert trial["share"] == pytest.approx(hits / 6, abs=1e-3)
    assert figures["text"]["best"]["seed"] != trial["seed"]


def test_the_report_has_a_line_for_each_class(figures: dict) -> None:
    lines = report(figures).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:6]] == [*NAMES, "**all**"]
    assert len({line.count("|") for line in lines[:6]}) == 1


def test_the_picture_is_drawn(bench: Bench, trained: Trained, tmp_path: Path) -> None:
    real = dict(zip(NAMES, clips_of(bench.corpus, bench.rows, 81920), strict=True))
    draw(tmp_path / "picture.png", NAMES, real, {"drone": real["drone"]}, trained.work)
    assert (tmp_path / "picture.png").stat().st_size > 10_000
