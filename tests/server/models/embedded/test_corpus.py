# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from server.models.embedded import corpus as corpora
from server.models.embedded import recordings
from server.models.embedded.corpus import FROM_TAKE, REAL, SPLITS, Corpus, Plan, item_weights, split_of_sources
from server.models.embedded.format import ITEM_SAMPLES
from server.models.embedded.vocabulary import CLASSES, NAMES, described

SMALL = Plan(synthetic=(1, 0, 0), recorded=(2, 1, 1), classes=("dog", "rain", "clock"))


def entry(name: str, source: str, kind: str = "recording", family: str = "") -> dict:
    return {"class": NAMES.index(name), "phrases": CLASSES[NAMES.index(name)].phrases, "kind": kind, "words": (),
            "source": source, "family": family}


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of five short and five long takes of dogs, each of its own source."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("pack")
    takes = [rng.standard_normal(length).astype(np.float32) for length in [8000] * 5 + [120000] * 5]
    recordings.pack(takes, [entry("dog", f"upload-{k}") for k in range(10)], folder)
    return folder


def contents(folder: Path) -> tuple[bytes, bytes]:
    return (folder / "audio.i16").read_bytes(), (folder / "items.json").read_bytes()


def test_the_seed_alone_decides_the_corpus(pack: Path, tmp_path: Path) -> None:
    corpora.build(pack, tmp_path / "one", seed=1, plan=SMALL, workers=1)
    corpora.build(pack, tmp_path / "two", seed=1, plan=SMALL, workers=2)
    corpora.build(pack, tmp_path / "other", seed=2, plan=SMALL, workers=1)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert contents(tmp_path / "one")[0] != contents(tmp_path / "other")[0]


def test_clips_are_full_and_loud(corpus: Corpus) -> None:
    assert corpus.audio.shape == (len(corpus.items), ITEM_SAMPLES)
    peaks = np.abs(corpus.audio.astype(np.int32)).max(axis=1)
    np.testing.assert_allclose(peaks, 0.9 * 32767, atol=2)


def test_no_source_is_in_two_splits(pack: Path) -> None:
    entries = recordings.unpack(pack)[1]
    splits = split_of_sources(entries, seed=1)
    counts = {split: sum(found == split for found in splits.values()) for split in SPLITS}
    assert counts == {"train": 8, "judge": 1, "test": 1}
    few = split_of_sources(entries[:3], seed=1)
    assert set(few.values()) == {"train"}


def test_splits_share_no_source(corpus: Corpus) -> None:
    sources = {split: {corpus.items[i]["source"] for i in corpus.of_split(split)} for split in SPLITS}
    assert all(sources.values())
    assert not sources["train"] & sources["judge"] and not sources["train"] & sources["test"]
    assert not sources["judge"] & sources["test"]


def test_only_the_classes_in_use_are_found(corpus: Corpus) -> None:
    rows = corpus.of_split("train")
    assert {NAMES[corpus.items[i]["class"]] for i in rows} == {"struck metal", "drone", "rain"}


def test_of_one_instrument_by_two_soundfonts_one_stays_for_training() -> None:
    entries = [entry("reed", f"{font}-{program}", "soundfont", f"reed-{program}") for font in "ab" for program in range(6)]
    for seed in range(20):
        splits = split_of_sources(entries, seed)
        kept = {source.split("-")[1] for (_, source), split in splits.items() if split == "train"}
        assert kept == set("012345")
        assert sum(split != "train" for split in splits.values()) == 2


def test_one_take_makes_only_a_few_clips(tmp_path: Path) -> None:
    recordings.pack([np.ones(8000, np.float32)], [entry("dog", "x")], tmp_path / "pack")
    built = corpora.build(tmp_path / "pack", tmp_path / "corpus", 1, Plan((0, 0, 0), (100, 0, 0)))
    assert len(built.items) == FROM_TAKE


def test_a_corpus_carries_its_own_classes(tmp_path: Path) -> None:
    known = [{"name": name, "phrases": [name], "group": "own", "example": name, "weight": 1.0} for name in ("hail", "rain")]
    takes = [np.ones(8000, np.float32), -np.ones(8000, np.float32)]
    entries = [{**entry("dog", name), "class": k, "phrases": (name,)} for k, name in enumerate(("hail", "rain"))]
    recordings.pack(takes, entries, tmp_path / "pack", known)
    built = corpora.build(tmp_path / "pack", tmp_path / "corpus", 1, Plan((5, 5, 5), (2, 1, 1)))
    assert built.names == ("hail", "rain") and built.classes == {0, 1}
    assert [item["kind"] for item in built.items] == ["recording"] * 4  # rain too: nothing is synthesised
    assert corpora.load(tmp_path / "corpus", ("rain",)).classes == {1}


def test_weights_follow_the_classes(corpus: Corpus) -> None:
    rows = corpus.of_split("train")
    weight = item_weights(corpus, rows)
    assert weight.sum() == pytest.approx(1)
    share = {name: weight[[corpus.items[i]["class"] == NAMES.index(name) for i in rows]].sum()
             for name in ("struck metal", "rain")}
    assert share["struck metal"] / share["rain"] == pytest.approx(1.5 / 1.3)


def test_real_sounds_weigh_more_than_synthesis_unless_there_are_few() -> None:
    def share_of_recordings(count: int) -> float:
        items = [entry("rain", "made", "synthesis")] * 5 + [entry("rain", f"upload-{k}") for k in range(count)]
        corpus = Corpus(np.zeros((len(items), 1), np.int16), items, known=tuple(map(described, CLASSES)))
        return item_weights(corpus, np.arange(len(items)))[5:].sum()

    assert share_of_recordings(20) == pytest.approx(REAL / (1 + REAL))
    assert share_of_recordings(1) == pytest.approx(0.25 / 1.25)
