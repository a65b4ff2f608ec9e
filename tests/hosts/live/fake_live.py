# SPDX-License-Identifier: GPL-3.0-or-later
"""A FAKE of Live's Python side, for tests: no Live is behind it. Names, types and ranges are those of Live 12's object
model, as far as our control surface uses them; every other name is an error. Like Live it is strict about types, raises
RuntimeError for what it refuses, and puts off what is set as `warping`."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import soundfile

SCRIPTS = Path(__file__).resolve().parents[3] / "bridge" / "hosts" / "live"
_LAST_BEAT = 1576800.0


class Strict:
    """An object with the attributes that its class names, of the types that they have there."""

    def __setattr__(self, name: str, value: Any) -> None:
        kind = type(self).__annotations__.get(name)
        if kind is None:
            raise AttributeError(f"{type(self).__name__} has no {name}")
        if name in self.__dict__ and isinstance(self.__dict__[name], bool | int | str) and \
                type(self.__dict__[name]) is not type(value):
            raise TypeError(f"{name} does not take {value!r}")
        self.__dict__[name] = value


class FakeClip(Strict):
    """A clip; an unwarped one of the whole file at beat 0 unless `facts` say otherwise."""

    name: str
    color: int
    file_path: str
    canonical_parent: Any
    start_time: float
    end_time: float
    warping: bool
    put_off: list
    facts: dict

    def __init__(self, parent: Any, file: str, facts: dict | None = None) -> None:
        self.canonical_parent, self.file_path, self.name, self.color = parent, file, "take", 0
        self.facts = {"is_audio_clip": True, "is_arrangement_clip": True, "warp_mode": 0, "looping": False,
                      "loop_start": 0.0, "loop_end": 1.0, "start_marker": 0.0, "pitch_coarse": 0, "pitch_fine": 0.0,
                      "warp_markers": ()}
        self.facts |= facts or {}
        self.start_time, self.end_time = self.facts.pop("start_time", 0.0), self.facts.pop("end_time", 1.0)
        self.put_off = []
        self.__dict__["warping"] = self.facts.pop("warping", False)

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__.get("facts", {}):
            return self.facts[name]
        raise AttributeError(f"Clip has no {name}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("start_time", "end_time", "file_path") and name in self.__dict__:
            raise AttributeError(f"Clip.{name} cannot be set")
        if name == "warping":
            self.put_off.append(value)
        else:
            super().__setattr__(name, value)


class FakeLane(Strict):
    """A take lane."""

    name: str
    canonical_parent: Any
    arrangement_clips: list

    def __init__(self, track: FakeTrack) -> None:
        self.name, self.canonical_parent, self.arrangement_clips = "", track, []

    def create_audio_clip(self, path: str, beats: float) -> FakeClip:
        return _create(self, self.canonical_parent, path, beats)


class FakeTrack(Strict):
    """An audio track, or a MIDI track."""

    name: str
    color: int
    has_audio_input: bool
    is_frozen: bool
    song: Any
    canonical_parent: Any
    arrangement_clips: list
    take_lanes: list
    clip_slots: list

    def __init__(self, song: FakeSong, name: str, audio: bool = True, frozen: bool = False) -> None:
        self.song = self.canonical_parent = song
        self.name, self.color, self.has_audio_input, self.is_frozen = name, 0, audio, frozen
        self.arrangement_clips, self.take_lanes, self.clip_slots = [], [], []

    def create_take_lane(self) -> FakeLane:
        self.take_lanes.append(FakeLane(self))
        return self.take_lanes[-1]

    def create_audio_clip(self, path: str, beats: float) -> FakeClip:
        return _create(self, self, path, beats)


class FakeView(Strict):
    """What Live shows."""

    detail_clip: Any

    def __init__(self) -> None:
        self.detail_clip = None


class FakeSong(Strict):
    """A Live Set."""

    tempo: float
    signature_numerator: int
    signature_denominator: int
    tracks: list
    view: FakeView
    undo_steps: list

    def __init__(self, tempo: float) -> None:
        self.tempo, self.signature_numerator, self.signature_denominator = tempo, 7, 8
        self.tracks, self.view, self.undo_steps = [], FakeView(), []

    def create_audio_track(self, index: int) -> FakeTrack:
        if index != -1:
            raise RuntimeError("the fake appends only")
        self.tracks.append(FakeTrack(self, "Audio"))
        return self.tracks[-1]

    def begin_undo_step(self) -> None:
        self.undo_steps.append("begin")

    def end_undo_step(self) -> None:
        self.undo_steps.append("end")

    def settle(self) -> None:
        """Do what Live puts off."""
        for track in self.tracks:
            for clip in [*track.arrangement_clips, *(clip for lane in track.take_lanes for clip in lane.arrangement_clips)]:
                for value in clip.put_off:
                    clip.__dict__["warping"] = value
                clip.put_off.clear()


def _create(parent: Any, track: FakeTrack, path: str, beats: float) -> FakeClip:
    if not isinstance(path, str) or not isinstance(beats, float):
        raise TypeError("create_audio_clip(str, float)")
    if not track.has_audio_input or track.is_frozen or not 0 <= beats <= _LAST_BEAT or not Path(path).is_file():
        raise RuntimeError("the file, the track or the position is refused")
    length = soundfile.info(path).duration * track.song.tempo / 60
    clip = FakeClip(parent, path, {"start_time": beats, "end_time": beats + length, "warping": True})
    parent.arrangement_clips.append(clip)
    return clip


class FakeInstance:
    """What Live gives a control surface. shown: its status messages, oldest first."""

    def __init__(self, song: FakeSong) -> None:
        self.fake_song, self.shown, self.logged = song, [], []


class FakeControlSurface:
    """`_Framework.ControlSurface.ControlSurface`, as much of it as our surface calls."""

    def __init__(self, c_instance: FakeInstance) -> None:
        self._fake, self.disconnected = c_instance, False

    def song(self) -> FakeSong:
        return self._fake.fake_song

    def show_message(self, text: str) -> None:
        self._fake.shown.append(text)

    def log_message(self, text: str) -> None:
        self._fake.logged.append(text)

    def update_display(self) -> None:
        self._fake.fake_song.settle()

    def disconnect(self) -> None:
        self.disconnected = True


@contextmanager
def scripts() -> Iterator[ModuleType]:
    """Our control surface as Live imports it: the module `Athanor`, with a fake `_Framework` to import from."""
    framework, surface = types.ModuleType("_Framework"), types.ModuleType("_Framework.ControlSurface")
    surface.ControlSurface = FakeControlSurface
    sys.modules |= {"_Framework": framework, "_Framework.ControlSurface": surface}
    sys.path.insert(0, str(SCRIPTS))
    try:
        yield importlib.import_module("Athanor")
    finally:
        sys.path.remove(str(SCRIPTS))
        for name in [name for name in sys.modules if name.split(".")[0] in ("Athanor", "_Framework")]:
            del sys.modules[name]
