# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from server.models.embedded import recordings, speech
from server.models.embedded.vocabulary import NAMES


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the voices of this test were asked to say, instead of Kokoro's and flite's."""
    heard: list[tuple[str, str]] = []

    def voice(name: str) -> speech.Voice:
        def speak(sentence: str) -> tuple[np.ndarray, int]:
            heard.append((name, sentence))
            return np.sin(np.arange(8000) * 0.1).astype(np.float32), 16000

        return speak

    monkeypatch.setattr(speech, "flite", lambda name, scratch: voice(name))
    monkeypatch.setattr(speech, "kokoro", lambda model, voices, name: voice(name))
    return heard


def test_the_folder_is_read_as_recordings_of_voices(tmp_path: Path, said: list[tuple[str, str]]) -> None:
    folder = tmp_path / "speech"
    speech.main(["--out", str(folder), "--kokoro", "model.onnx", "--voices", "styles", "--each", "1"])
    assert len(said) == len(speech.FLITE_VOICES) + len(speech.KOKORO_VOICES)
    takes, entries = recordings.collect(tmp_path)
    assert len(takes) == len(said) and {entry["kind"] for entry in entries} == {"speech"}
    by_class = {name: {entry["source"] for entry in entries if entry["class"] == NAMES.index(name)}
                for name in ("female speech", "male speech")}
    assert len(by_class["female speech"]) == 16 and len(by_class["male speech"]) == 16
    assert {entry["licence"] for entry in entries} == {"BSD", "Apache-2.0"} <= recordings.ALLOWED


def test_what_is_there_is_not_spoken_again(tmp_path: Path, said: list[tuple[str, str]]) -> None:
    speech.main(["--out", str(tmp_path), "--each", "1"])
    speech.main(["--out", str(tmp_path), "--each", "2"])
    assert len(said) == len(set(said)) == 2 * len(speech.FLITE_VOICES)
    with (tmp_path / "credits.csv").open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    assert [(line["source"].split("-")[-1], line["title"]) for line in lines] == sorted(said, key=lambda s: [
        v for v, _ in speech.FLITE_VOICES].index(s[0]))


def test_kokoro_needs_its_voices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        speech.main(["--out", str(tmp_path), "--kokoro", "model.onnx"])
    assert "--kokoro needs --voices" in capsys.readouterr().err
