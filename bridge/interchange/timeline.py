# SPDX-License-Identifier: GPL-3.0-or-later
"""Placement records as a timeline: tracks with clips at exact positions. Pure; every interchange writer starts here."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from bridge.placement import Placement, Start

_TEMPO_BPM = 120.0
_METER = (4, 4)


@dataclass(frozen=True)
class PlacedClip:
    """A whole sound file at a place. length: samples of sample_rate (Hz). colour: `#rrggbb`, empty if it has none."""

    sound: Path
    name: str
    start: Start
    length: int
    sample_rate: int
    channels: int
    role: str
    job_id: str
    colour: str = ""

    @property
    def duration(self) -> Fraction:
        """Seconds, exact."""
        return Fraction(self.length, self.sample_rate)

    @property
    def end(self) -> Fraction:
        """Where it ends on the timeline, in seconds, exact."""
        return self.start.seconds + self.duration

    def end_at(self, sample_rate: int) -> int:
        """Where it ends in samples of another rate, rounded as `Start.at` does."""
        return math.floor(self.end * sample_rate + Fraction(1, 2))


@dataclass(frozen=True)
class Track:
    """Clips in the order of their starts; none begins before the one in front of it has ended."""

    name: str
    clips: tuple[PlacedClip, ...]

    @property
    def channels(self) -> int:
        return max(clip.channels for clip in self.clips)

    @property
    def colour(self) -> str:
        return self.clips[0].colour


@dataclass(frozen=True)
class Timeline:
    """A project. sample_rate: Hz, of the session that the clips belong to. meter: beats in a bar, and their note value."""

    name: str
    sample_rate: int
    tracks: tuple[Track, ...]
    tempo_bpm: float = _TEMPO_BPM
    meter: tuple[int, int] = _METER


def arrange(name: str, results: Sequence[tuple[Path, Placement]], sample_rate: int | None = None) -> Timeline:
    """The timeline of some results, each a sound file and its record.

    Results of one name share a track where they do not overlap. Tempo and metre are those of the first record that has
    them, 120 BPM and 4/4 where none has; positions are times, so they do not depend on them.

    Args:
        name: of the project.
        results: at least one.
        sample_rate: of the project in Hz; without it the rate that the records' starts count in, the highest if several.
    """
    records = [record for _, record in results]
    tempo = next((record.tempo_bpm for record in records if record.tempo_bpm), _TEMPO_BPM)
    meter = next((_meter(record.meter) for record in records if record.meter), _METER)
    return Timeline(name, sample_rate or max(record.start_rate for record in records),
                    _tracks([_placed(sound, record) for sound, record in results]), tempo, meter)


def _placed(sound: Path, record: Placement) -> PlacedClip:
    start = Start(record.start_samples, record.start_rate, record.start_source)
    return PlacedClip(sound, record.name or sound.stem, start, record.length_samples, record.sample_rate,
                      record.channels, record.role, record.job_id, record.colour)


def _tracks(clips: list[PlacedClip]) -> tuple[Track, ...]:
    """Each clip, in the order of starts, on the first track of its name that is free by then; else on a new one."""
    lanes: list[list[PlacedClip]] = []
    order = {id(clip): index for index, clip in enumerate(clips)}
    for clip in sorted(clips, key=lambda clip: clip.start.seconds):
        free = next((lane for lane in lanes if lane[0].name == clip.name and lane[-1].end <= clip.start.seconds), None)
        if free is None:
            lanes.append([clip])
        else:
            free.append(clip)
    lanes.sort(key=lambda lane: min(order[id(clip)] for clip in lane))  # as they were named on the command line
    return tuple(Track(lane[0].name, tuple(lane)) for lane in lanes)


def _meter(text: str) -> tuple[int, int]:
    beats, _, value = text.partition("/")
    return int(beats), int(value)


def reference(sound: Path, folder: Path) -> str:
    """How a project in `folder` names a sound file: relative with forward slashes; absolute on another Windows drive."""
    try:
        return Path(os.path.relpath(sound.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return sound.resolve().as_posix()
