# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from server.audio import Clip, write_clip
from server.measure import music_delta
from server.measure.datasets.music_delta import Edit
from server.measure.music_delta import Plan
from server.measure.studio import Studio

RATE = 16000


class Heard:
    """Hears levels alone: of a clip, of its halves; a target is the better said the quieter the clip."""

    name = "levels"

    def windows(self, clip: Clip) -> np.ndarray:
        halves = np.array_split(clip.samples[0], 2)
        return np.array([[np.sqrt(np.mean(half**2)) for half in halves]], np.float32)

    def stages(self, clip: Clip) -> list[list[torch.Tensor]]:
        return [[torch.from_numpy(np.abs(np.fft.rfft(clip.samples[0][:RATE // 4]))[:64].reshape(8, 8))]]

    def text_agreement(self, clip: Clip, prompt: str) -> float:
        return -float(np.abs(clip.samples).mean())


@pytest.fixture
def pairs(tmp_path: Path) -> list[Edit]:
    rng, found = np.random.default_rng(0), []
    for number in range(3):
        write_clip(tmp_path / f"{number}.wav", Clip(0.1 * (number + 1) * rng.normal(size=(1, RATE // 2)), RATE))
        found += [Edit(tmp_path / f"{number}.wav", "a rock song", target, True) for target in ("a waltz", "techno")]
    return found


def test_pairs_are_spread_over_the_table(pairs: list[Edit]) -> None:
    assert [pair.path.stem for pair in music_delta.spread(pairs, 3)] == ["0", "1", "2"]
    assert music_delta.spread(pairs, 6) == music_delta.spread(pairs, 324) == pairs


def test_every_method_at_every_level_beside_the_original(studio: Studio, pairs: list[Edit]) -> None:
    told: list[int] = []
    figures = music_delta.measure(studio, Heard(), pairs, Plan(edits=3, t_start=(40, 100), steps=4, seconds=0.4), 1,
                                  lambda done, total, what: told.append(done))
    assert told == [0, 1, 2] and (figures["edits"], figures["of"], figures["files"]) == (3, 6, ["0.wav", "1.wav", "2.wav"])
    original = figures["means"]["original"][0]
    assert original["published"] == original["corrected"] == 0 and original["frechet"] == pytest.approx(0, abs=1e-6)
    for name in ("ddpm", "sdedit", "ddim"):
        assert len(figures["means"][name]) == 2 and all(one["corrected"] > 0 for one in figures["means"][name])
    table = music_delta.lines(figures)
    assert sum(line.startswith("| ddpm |") for line in table) == 2 and table[2].startswith("| original |  |")
    assert "LPAPS 4.29 ddpm" in table[-1] and "3 of 6 pairs of 3 excerpts, of 0.4 s" in table[-1]


def test_without_the_data_it_says_where_to_get_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["embedded", "--audio", str(tmp_path), "--prompts", str(tmp_path), "--out", str(tmp_path / "out")]
    assert music_delta.main(words) == 2
    said = capsys.readouterr().err
    assert "medleydb.weebly.com" in said and "MedleyMDPrompts" in said and not (tmp_path / "out").exists()
    assert music_delta.main([*words, "--edits", "1"]) == 2 and "2 or more" in capsys.readouterr().err


def test_what_would_be_lost_or_mean_nothing_is_said_before_it_is_measured(
        tmp_path: Path, pairs: list[Edit], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(music_delta, "edits", lambda audio, prompts: pairs)
    monkeypatch.setattr(music_delta, "Clap", lambda name: SimpleNamespace(name=name, hears_words=False))
    words = ["embedded", "--audio", str(tmp_path), "--prompts", str(tmp_path), "--out"]
    assert music_delta.main([*words, str(tmp_path / "0.wav" / "out")]) == 2
    assert "cannot be written into" in capsys.readouterr().err
    assert music_delta.main([*words, str(tmp_path / "out")]) == 2
    assert "editing finds all words alike" in capsys.readouterr().err
