# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from server.errors import InvalidOption
from server.models.embedded import held_out, soundfont
from server.models.embedded.format import SAMPLE_RATE
from server.models.embedded.recordings import ALLOWED
from server.models.embedded.vocabulary import NAMES


class FakeSynth:
    """Sounds a square wave while any key is down; has every program but the ukulele."""

    def __init__(self, samplerate: float, gain: float) -> None:
        assert samplerate == SAMPLE_RATE
        self.down: set[int] = set()

    def sfload(self, path: str) -> int:
        return 1

    def sfpreset_name(self, font: int, bank: int, program: int) -> str | None:
        return None if (bank, program) == (8, 24) else "preset"

    def noteon(self, channel: int, key: int, velocity: int) -> None:
        assert 0 <= key <= 127 and 1 <= velocity <= 127
        self.down.add(key)

    def noteoff(self, channel: int, key: int) -> None:
        self.down.discard(key)

    def get_samples(self, count: int) -> np.ndarray:
        return np.tile(np.array([1000, -1000], np.int16), (count, 1)).reshape(-1)[:2 * count] * bool(self.down) + np.int16(
            bool(self.down))

    def program_select(self, *_: int) -> None: ...

    def set_reverb(self, *_: float) -> None: ...

    def all_sounds_off(self, channel: int) -> None:
        self.down.clear()

    def delete(self) -> None: ...


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[list[np.ndarray], list[dict]]:
    monkeypatch.setitem(sys.modules, "fluidsynth", SimpleNamespace(Synth=FakeSynth))
    (tmp_path / "FluidR3_GM.sf2").write_bytes(b"sfbk")
    return soundfont.render(tmp_path / "FluidR3_GM.sf2", 2, seed=1)


def test_every_program_that_the_font_has_is_played(rendered: tuple[list[np.ndarray], list[dict]]) -> None:
    takes, entries = rendered
    assert len(takes) == len(entries) == 2 * (len(soundfont.PROGRAMS) - 1)
    assert not any("ukulele" in entry["phrases"] for entry in entries)
    assert {entry["class"] for entry in entries} == {NAMES.index(program[0]) for program in soundfont.PROGRAMS}
    lengths = {len(take) / SAMPLE_RATE for take in takes}
    assert all(length == pytest.approx(5.5, abs=0.05) for length in lengths)


def test_a_program_of_a_font_is_a_source_and_is_credited(rendered: tuple[list[np.ndarray], list[dict]]) -> None:
    entries = rendered[1]
    assert len({(entry["class"], entry["source"]) for entry in entries}) == len(soundfont.PROGRAMS) - 1
    assert {entry["licence"] for entry in entries} <= ALLOWED
    assert entries[0]["title"] == "FluidR3 GM 0:24" and entries[0]["author"] == "Frank Wen"


def test_a_font_of_unknown_licence_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fluidsynth", SimpleNamespace(Synth=FakeSynth))
    with pytest.raises(InvalidOption, match=r"licence of mine\.sf2 is not known here"):
        soundfont.render(Path("mine.sf2"), 1, seed=1)


def test_a_held_out_font_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "fluidsynth", SimpleNamespace(Synth=FakeSynth))
    font = tmp_path / "FluidR3_GM.sf2"
    font.write_bytes(b"sfbk")
    monkeypatch.setattr(held_out, "LIST", tmp_path / "held_out.txt")
    held_out.add([(font, "the evaluation's font")])
    with pytest.raises(InvalidOption, match=r"FluidR3_GM\.sf2 is held out for evaluation"):
        soundfont.render(font, 1, seed=1)
