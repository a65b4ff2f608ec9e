# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from server.errors import InvalidOption
from server.models.embedded import corpus as corpora
from server.models.embedded import held_out, own, recordings
from server.models.embedded.corpus import Plan


def sound(path: Path, seconds: float = 0.5, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.5, 0.5, int(16000 * seconds)), 16000)
    return path


@pytest.mark.parametrize(("file", "label"), [
    ("Rusty_gate/take 1.wav", "rusty gate"), ("rain_01.wav", "rain"), ("slow-gong (2).wav", "slow gong"),
    ("drone.wav", "drone"), ("1234.wav", "1234"), ("kick/deep/01.wav", "kick"),
])
def test_the_folder_or_else_the_name_is_the_label(file: str, label: str) -> None:
    assert own.label_of(Path("sounds") / file, Path("sounds")) == label


def test_a_folder_of_labels_becomes_a_corpus(tmp_path: Path) -> None:
    for number, name in enumerate(("gate/1.wav", "gate/2.flac", "hail/1.wav")):
        sound(tmp_path / "mine" / name, seed=number)
    (tmp_path / "mine" / "notes.txt").write_text("not a sound", encoding="utf-8")
    assert own.pack_folder(tmp_path / "mine", tmp_path / "pack") == ["gate", "hail"]
    built = corpora.build(tmp_path / "pack", tmp_path / "corpus", 1, Plan((9, 9, 9), (4, 1, 1)))
    assert built.names == ("gate", "hail")
    assert [(item["class"], item["split"]) for item in built.items] == [(0, "train")] * 4 + [(1, "train")] * 4
    assert {tuple(item["phrases"]) for item in built.items} == {("gate",), ("hail",)}


def test_captions_describe_single_files(tmp_path: Path) -> None:
    for number, name in enumerate(("gate_1.wav", "gate_2.wav")):
        sound(tmp_path / "mine" / name, seed=number)
    (tmp_path / "mine" / "captions.csv").write_text("file,caption\ngate_2.wav,a gate in the wind\n", encoding="utf-8")
    _, entries = own.collect_folder(tmp_path / "mine")
    assert [entry["phrases"] for entry in entries] == [("gate",), ("a gate in the wind",)]
    own.pack_folder(tmp_path / "mine", tmp_path / "pack")
    assert recordings.classes_of(tmp_path / "pack")[0]["phrases"] == ["a gate in the wind", "gate"]


def test_a_long_recording_is_used_whole(tmp_path: Path) -> None:
    sound(tmp_path / "mine" / "field.wav", 2.5 * recordings.LONGEST_S)
    takes, entries = own.collect_folder(tmp_path / "mine")
    assert len(takes) == 3 and len({entry["source"] for entry in entries}) == 1
    assert sum(map(len, takes)) == pytest.approx(2.5 * recordings.LONGEST_S * recordings.SAMPLE_RATE, abs=100)


def test_the_same_sound_twice_is_one_source(tmp_path: Path) -> None:
    sound(tmp_path / "mine" / "a_1.wav", seed=3)
    sound(tmp_path / "mine" / "a_2.wav", seed=3)
    _, entries = own.collect_folder(tmp_path / "mine")
    assert len({entry["source"] for entry in entries}) == 1


def test_what_cannot_be_used_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidOption, match="is not a folder. Give a folder with sounds"):
        own.pack_folder(tmp_path / "nowhere", tmp_path / "pack")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidOption, match="No readable sound was found"):
        own.pack_folder(tmp_path / "empty", tmp_path / "pack")
    (tmp_path / "empty" / "broken.wav").write_bytes(b"RIFFbroken")
    with pytest.raises(InvalidOption, match=r"Not readable, or silent: broken\.wav"):
        own.pack_folder(tmp_path / "empty", tmp_path / "pack")
    file = sound(tmp_path / "mine" / "gate.wav")
    (tmp_path / "mine" / "captions.csv").write_text("file,caption\ngone.wav,a gate\n", encoding="utf-8")
    with pytest.raises(InvalidOption, match=r"names the file 'gone\.wav'"):
        own.pack_folder(tmp_path / "mine", tmp_path / "pack")
    (tmp_path / "mine" / "captions.csv").write_text("name;text\n", encoding="utf-8")
    with pytest.raises(InvalidOption, match="needs a first line with the columns file and caption"):
        own.pack_folder(tmp_path / "mine", tmp_path / "pack")
    (tmp_path / "mine" / "captions.csv").unlink()
    monkeypatch.setattr(held_out, "LIST", tmp_path / "held_out.txt")
    held_out.add([(file, "an evaluation sound")])
    with pytest.raises(InvalidOption, match="held out for evaluation"):
        own.pack_folder(tmp_path / "mine", tmp_path / "pack")
