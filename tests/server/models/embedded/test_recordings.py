# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from server.errors import InvalidOption
from server.models.embedded import held_out, recordings
from server.models.embedded.vocabulary import NAMES

FIELDS = ("file", "label", "title", "author", "licence", "source")


def write(folder: Path, licences: list[str], seconds: float = 1.0) -> Path:
    """A collection of dog recordings, one per licence."""
    (folder / "dogs").mkdir(parents=True)
    rng = np.random.default_rng(0)
    with (folder / "dogs" / "credits.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.DictWriter(stream, FIELDS)
        rows.writeheader()
        for number, licence in enumerate(licences):
            soundfile.write(folder / "dogs" / f"{number}.wav", rng.uniform(-0.5, 0.5, int(22050 * seconds)), 22050)
            rows.writerow({"file": f"{number}.wav", "label": "dog_bark", "title": f"dog {number}", "author": "somebody",
                           "licence": licence, "source": f"https://freesound.org/s/{number + 100}/"})
    return folder


def test_only_free_licences_are_taken(tmp_path: Path) -> None:
    refused = ["CC BY-NC", "CC BY-NC 4.0", "CC BY-SA 4.0", "CC Sampling+", "all rights reserved", ""]
    takes, entries = recordings.collect(write(tmp_path, ["CC0", "CC BY 4.0", "MIT", *refused]))
    assert [e["licence"] for e in entries] == ["CC0-1.0", "CC-BY-4.0", "MIT"]
    assert {e["licence"] for e in entries} <= recordings.ALLOWED
    assert len(takes) == 3
    assert not any("NC" in licence or "SA" in licence for licence in recordings.ALLOWED)


def test_entries_carry_their_credits(tmp_path: Path) -> None:
    _, entries = recordings.collect(write(tmp_path, ["CC0"]))
    assert entries[0]["source"] == "upload-100"
    assert (entries[0]["title"], entries[0]["author"]) == ("dog 0", "somebody")
    assert entries[0]["address"] == "https://freesound.org/s/100/" and entries[0]["file"] == "dogs/0.wav"


@pytest.mark.parametrize(("file", "address", "source"), [
    ("a.ogg", "https://freesound.org/people/x/sounds/187207/", "upload-187207"),
    ("1-26222-A.ogg", "", "upload-26222"), ("bird call.wav", "https://example.org/bird", "file-bird call"),
])
def test_one_upload_is_one_source(file: str, address: str, source: str) -> None:
    assert recordings.source_of(file, address) == source


def test_a_held_out_file_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path, ["CC0", "CC0"])
    monkeypatch.setattr(held_out, "LIST", tmp_path / "held_out.txt")
    held_out.add([(folder / "dogs" / "1.wav", "a dog of the evaluation")])
    with pytest.raises(InvalidOption, match=r"1\.wav is held out for evaluation \(a dog of the evaluation\)"):
        recordings.collect(folder)


def test_one_voice_is_one_source(tmp_path: Path) -> None:
    assert recordings.source_of("b_3.wav", "https://example.org/tool#voice-am_liam") == "voice-am_liam"


def test_silence_at_both_ends_is_cut_and_long_takes_end(tmp_path: Path) -> None:
    rate = recordings.SAMPLE_RATE
    audio = np.zeros(3 * rate, np.float32)
    audio[rate:2 * rate] = 0.5 * np.sin(np.arange(rate) * 0.1)
    soundfile.write(tmp_path / "a.wav", audio, rate)
    assert rate <= len(recordings.read_mono(tmp_path / "a.wav")) <= rate + 160 + 1600
    soundfile.write(tmp_path / "long.wav", np.full(20 * rate, 0.3, np.float32), rate)
    assert len(recordings.read_mono(tmp_path / "long.wav")) == recordings.LONGEST_S * rate
    soundfile.write(tmp_path / "silent.wav", np.zeros(rate, np.float32), rate)
    assert len(recordings.read_mono(tmp_path / "silent.wav")) == 0


def test_a_pack_gives_its_takes_back(tmp_path: Path) -> None:
    t = np.arange(16000) / 16000
    takes = [np.sin(2 * np.pi * hz * t).astype(np.float32) for hz in (220, 660)]
    recordings.pack(takes, [{"class": 0}, {"class": 1}], tmp_path)
    audio, entries = recordings.unpack(tmp_path)
    assert [(e["class"], e["start"], e["length"]) for e in entries] == [(0, 0, 16000), (1, 16000, 16000)]
    for take, entry in zip(takes, entries, strict=True):
        heard = audio[entry["start"]:entry["start"] + entry["length"]] / 32768
        np.testing.assert_allclose(heard, 0.9 * take, atol=1e-4)
    assert [sound["name"] for sound in recordings.classes_of(tmp_path)] == list(NAMES)
