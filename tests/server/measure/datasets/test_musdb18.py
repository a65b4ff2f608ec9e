# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from server.audio import Clip, write_clip
from server.errors import InvalidInput, InvalidOption
from server.measure.datasets.musdb18 import STEMS, excerpts, songs

RATE = 8000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for song in ("B - Second", "A - First"):
        stems = {name: 0.1 * rng.normal(size=(2, 2 * RATE)) for name in STEMS}
        stems["bass"] *= 0
        folder = tmp_path / "test" / song
        folder.mkdir(parents=True)
        for name, samples in (stems | {"mixture": sum(stems.values())}).items():
            write_clip(folder / f"{name}.wav", Clip(samples, RATE))
    return tmp_path


def test_an_excerpt_of_each_song_by_seed(root: Path) -> None:
    first, second = excerpts(root, seconds=0.5, seed=1)
    assert first.name.startswith("A - First at ") and second.name.startswith("B - Second at ")
    assert first.clip.samples.shape == (2, RATE // 2) and list(first.stems) == ["vocals", "drums", "other"]
    total = sum(clip.samples for clip in first.stems.values())
    assert np.abs(total - first.clip.samples).max() < 1e-3
    again, other = (next(excerpts(root, seconds=0.5, seed=seed)) for seed in (1, 2))
    assert np.array_equal(again.clip.samples, first.clip.samples) and other.name != first.name


def test_a_short_song_comes_whole(root: Path) -> None:
    assert next(excerpts(root, seconds=5)).clip.n_samples == 2 * RATE


def test_what_is_missing_is_said(root: Path) -> None:
    with pytest.raises(InvalidOption, match="split 'train'.*sigsep"):
        songs(root, "train")
    (root / "train").mkdir()
    (root / "train" / "A - First.stem.mp4").touch()
    with pytest.raises(InvalidOption, match="1 packed songs and none as wav.*musdbconvert"):
        songs(root, "train")
    (root / "test" / "A - First" / "drums.wav").unlink()
    with pytest.raises(InvalidOption, match="stem 'drums' of A - First"):
        list(excerpts(root))
    write_clip(root / "test" / "A - First" / "drums.wav", Clip(np.ones((2, RATE)), RATE))
    with pytest.raises(InvalidInput, match="differ in rate or length"):
        list(excerpts(root))
