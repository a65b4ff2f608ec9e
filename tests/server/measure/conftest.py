# SPDX-License-Identifier: GPL-3.0-or-later
"""A toy mel model, a few synthetic sounds in the place of held-out ones, and the bench of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from server.audio import Clip, write_clip
from server.measure import held_out, listening, mel_frames
from server.measure.bench import Bench
from server.measure.datasets.mixture import Mixture, mixed
from server.measure.held_out import HeldOut, Sound
from server.measure.studio import Studio
from server.models import tiny
from server.models.embedded.corpus import Corpus
from server.models.embedded.format import ITEM_SAMPLES
from server.models.embedded.vocabulary import CLASSES, NAMES
from server.models.loading import load

RATE = 16000


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """The real AudioLDM classes at toy size, with job kinds in this process."""
    folder = tiny.build("audioldm", tmp_path_factory.mktemp("tiny") / "audioldm")
    with Studio(load(str(folder), device="cpu")) as made:
        yield made


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> HeldOut:
    """Two sounds of half a second of each of three classes, read back from their table."""
    folder = tmp_path_factory.mktemp("held-out")
    rng, time_s = np.random.default_rng(0), np.arange(RATE // 2) / RATE
    made = {"rain": lambda k: 0.1 * rng.normal(size=len(time_s)),
            "flute": lambda k: 0.4 * np.sin(2 * np.pi * (440 + 60 * k) * time_s),
            "drum": lambda k: 0.5 * np.sin(2 * np.pi * 80 * time_s) * np.exp(-(12 + k) * time_s)}
    entries = []
    for name, make in made.items():
        for k in range(2):
            path = folder / f"{name}-{k}.wav"
            write_clip(path, Clip(make(k)[None], RATE))
            entries.append(Sound(path, name, f"source-{k}", "CC0-1.0", "", f"{len(entries):064x}", RATE))
    held_out.save(folder, entries)
    return held_out.load(folder)


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """The same three classes and `drone`, for which nothing is held out: four clips to train, two to judge, two to test."""
    rng, time_s = np.random.default_rng(1), np.arange(ITEM_SAMPLES) / 32000
    made = {"rain": lambda: 0.1 * rng.normal(size=ITEM_SAMPLES),
            "flute": lambda: np.sin(2 * np.pi * rng.uniform(400, 900) * time_s),
            "drum": lambda: np.sin(2 * np.pi * 80 * time_s) * np.exp(-10 * (time_s % rng.uniform(0.3, 1))),
            "drone": lambda: np.sign(np.sin(2 * np.pi * rng.uniform(40, 80) * time_s))}
    audio, items = [], []
    for split, count in (("train", 4), ("judge", 2), ("test", 2)):
        for name, make in made.items():
            for number in range(count):
                audio.append(np.round(12000 * make() / 0.4).clip(-32000, 32000).astype(np.int16))
                items.append({"class": NAMES.index(name), "kind": "synthesis", "split": split, "words": (),
                              "source": f"{split}-{name}-{number}", "phrases": CLASSES[NAMES.index(name)].phrases})
    return Corpus(np.stack(audio), items, frozenset(NAMES.index(name) for name in made))


@pytest.fixture(scope="session")
def two_tones() -> Mixture:
    """Two tones, a second long, far from each other in time and in pitch."""
    time_s = np.arange(RATE) / RATE
    return mixed({"low": np.sin(2 * np.pi * 200 * time_s)[None] * (time_s < 0.5),
                  "high": np.sin(2 * np.pi * 3000 * time_s)[None] * (time_s >= 0.5)}, RATE, "low + high 1")


@pytest.fixture
def full_bench(bench: Bench, corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The bench with the corpus; its judge hears the mean and deviation of mel bands, not what fetched networks hear."""
    monkeypatch.setattr(listening, "load", lambda packages: bands)
    return replace(bench, corpus=corpus)


def bands(audio: torch.Tensor) -> torch.Tensor:
    """Features `[clips, 128]`."""
    mels = mel_frames.mel_frames(audio)
    return torch.cat([mels.mean(1), mels.std(1)], 1)


@pytest.fixture
def bench(studio: Studio, sounds: HeldOut, tmp_path: Path) -> Bench:
    return Bench(studio, tmp_path, held_out=sounds, seed=5)
