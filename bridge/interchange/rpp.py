# SPDX-License-Identifier: GPL-3.0-or-later
"""REAPER project: a text of nested blocks that names the sound files by relative path.

Positions are seconds as doubles in the shortest decimal that reads back as the same double: within a hundred hours that is
closer than a thousandth of a sample, so REAPER finds the exact one.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

from bridge.interchange.timeline import PlacedClip, Timeline, Track, reference

_VERSION = '0.1 "6.0" 0'
_HAS_COLOUR = 0x1000000


def write(timeline: Timeline, path: Path) -> None:
    """Write the project to `path`; the sound files stay where they are."""
    path.write_text(text(timeline, path.parent), encoding="utf-8", newline="\n")


def text(timeline: Timeline, folder: Path) -> str:
    """The project as text, for a file in `folder`."""
    lines = [f"<REAPER_PROJECT {_VERSION}", f"  SAMPLERATE {timeline.sample_rate} 1 0",
             f"  TEMPO {timeline.tempo_bpm!r} {timeline.meter[0]} {timeline.meter[1]}"]
    for index, track in enumerate(timeline.tracks):
        lines += [f"  {line}" for line in _track(track, index, folder)]
    return "\n".join([*lines, ">"]) + "\n"


def _track(track: Track, index: int, folder: Path) -> Iterator[str]:
    identity = _guid(f"track {index} {track.clips[0].job_id}")
    yield f"<TRACK {identity}"
    yield f"  NAME {quoted(track.name)}"
    if track.colour:
        yield f"  PEAKCOL {_colour(track.colour)}"
    yield f"  NCHAN {max(2, track.channels + track.channels % 2)}"
    yield f"  TRACKID {identity}"
    for clip in track.clips:
        yield from (f"  {line}" for line in _item(clip, folder))
    yield ">"


def _item(clip: PlacedClip, folder: Path) -> Iterator[str]:
    identity = _guid(f"item {clip.sound.name} {clip.job_id}")
    yield "<ITEM"
    yield f"  POSITION {float(clip.start.seconds)!r}"
    yield f"  LENGTH {float(clip.duration)!r}"
    yield "  LOOP 0"
    yield "  FADEIN 0 0 0 0 0 0 0"
    yield "  FADEOUT 0 0 0 0 0 0 0"
    if clip.colour:
        yield f"  COLOR {_colour(clip.colour)} B"
    yield f"  IGUID {identity}"
    yield f"  NAME {quoted(clip.name)}"
    yield "  SOFFS 0"
    yield "  PLAYRATE 1 1 0 -1 0 0.0025"
    yield f"  GUID {_guid('take ' + clip.sound.name + clip.job_id)}"
    yield "  <SOURCE WAVE"
    yield f"    FILE {quoted(reference(clip.sound, folder))}"
    yield "  >"
    yield ">"


def quoted(value: str) -> str:
    """A text as REAPER writes it: in the first of three kinds of quotes that it does not hold; line breaks as spaces."""
    value = " ".join(value.split("\n")).replace("\r", " ")
    for mark in "\"'`":
        if mark not in value:
            return f"{mark}{value}{mark}"
    return f"`{value.replace('`', chr(39))}`"


def _colour(colour: str) -> int:
    red, green, blue = bytes.fromhex(colour[1:])
    return _HAS_COLOUR | blue << 16 | green << 8 | red


def _guid(name: str) -> str:
    """Always the same for the same name, so that the same results make the same project."""
    return "{" + str(uuid.uuid5(uuid.NAMESPACE_OID, f"athanor {name}")).upper() + "}"
