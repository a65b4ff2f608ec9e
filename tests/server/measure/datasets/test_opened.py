# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from server.audio import Clip, write_clip
from server.errors import InvalidOption
from server.measure.datasets.musdb18 import STEMS
from server.measure.datasets.opened import opened
from server.measure.held_out import HeldOut, Sound

ASKED = {"seconds": 0.5, "sample_rate": 4000, "seed": 1}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    song, pair = tmp_path / "musdb" / "test" / "A - B", tmp_path / "pairs" / "tuba-VA1EolcDwZI+cello--Gdh8N_KpLY"
    for folder, names in ((song, (*STEMS, "mixture")), (pair, ("gt1", "gt2", "mix"))):
        folder.mkdir(parents=True)
        for name in names:
            write_clip(folder / f"{name}.wav", Clip(0.1 * rng.normal(size=(2, 8000)), 8000))
    return tmp_path


def test_a_set_by_its_word(root: Path) -> None:
    (song,), (pair,) = (list(opened(said, **ASKED)) for said in (f"musdb18:{root}/musdb", f"rendered:{root}/pairs"))
    assert song.clip.samples.shape == song.stems["bass"].samples.shape == pair.stems["cello"].samples.shape == (1, 2000)
    assert list(opened(f"musdb18:{root}/musdb:test", **ASKED))[0].name == song.name


def test_what_is_silent_in_the_cut_is_no_stem_and_one_stem_is_no_mixture(root: Path) -> None:
    late = np.zeros((1, 8000))
    late[:, 6000:] = 0.1
    write_clip(root / "musdb" / "test" / "A - B" / "bass.wav", Clip(np.zeros((2, 8000)), 8000))
    write_clip(next((root / "pairs").iterdir()) / "gt1.wav", Clip(late, 8000))
    (song,) = opened(f"musdb18:{root}/musdb", **ASKED)
    assert set(song.stems) == set(STEMS) - {"bass"}
    assert list(opened(f"rendered:{root}/pairs", **ASKED)) == []


def test_offline_sets_are_made_of_the_held_out_sounds(root: Path) -> None:
    sounds = []
    for name in ("rain", "flute"):
        write_clip(root / f"{name}.wav", Clip(np.random.default_rng(0).normal(size=(1, 4000)), 4000))
        sounds.append(Sound(root / f"{name}.wav", name, "mine", "CC0-1.0", "", name, 4000))
    found = list(opened("events", HeldOut(tuple(sounds)), **ASKED))
    assert len(found) == 90 and set(found[0].classes.values()) == {"rain", "flute"}
    with pytest.raises(InvalidOption, match="no organ of 4000 Hz"):
        opened("music_like", HeldOut(tuple(sounds)), **ASKED)
    with pytest.raises(InvalidOption, match="say `--held-out DIR`"):
        opened("events", **ASKED)


def test_loaders_say_what_they_miss(root: Path) -> None:
    for said, message in (("musdb18:", "is no set"), ("fma:here", "is no set"), ("ave:AUDIO", "is no set"),
                          (f"musdb18:{root}/musdb:train", "split 'train'"), ("ave:there:index.csv", "an index file")):
        with pytest.raises(InvalidOption, match=message):
            opened(said, **ASKED)
