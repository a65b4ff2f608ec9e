# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenTimelineIO: JSON that editing programs and their adapters read; it names the sound files by relative path.

A gap counts in a rate that its exact length is a whole number of, so positions are exact whatever rates meet.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bridge.interchange.needs import load
from bridge.interchange.timeline import PlacedClip, Timeline, Track, reference


def write(timeline: Timeline, path: Path) -> None:
    """Write the timeline to `path`; the sound files stay where they are.

    Raises:
        InvalidOption: the library is not installed.
    """
    library = load("opentimelineio", "opentimelineio", "otio")
    zero = library.opentime.RationalTime(0, timeline.sample_rate)
    document = library.schema.Timeline(timeline.name, global_start_time=zero)
    for track in timeline.tracks:
        document.tracks.append(_track(library, track, timeline.sample_rate, path.parent))
    path.write_text(library.adapters.write_to_string(document, "otio_json"), encoding="utf-8")


def _track(library: Any, track: Track, rate: int, folder: Path) -> Any:
    made = library.schema.Track(track.name, kind=library.schema.TrackKind.Audio)
    now = Fraction(0)
    for clip in track.clips:
        if clip.start.seconds > now:
            made.append(library.schema.Gap(duration=_time(library, clip.start.seconds - now, rate)))
        made.append(_clip(library, clip, folder))
        now = clip.end
    return made


def _clip(library: Any, clip: PlacedClip, folder: Path) -> Any:
    whole = library.opentime.TimeRange(library.opentime.RationalTime(0, clip.sample_rate),
                                       library.opentime.RationalTime(clip.length, clip.sample_rate))
    media = library.schema.ExternalReference(quote(reference(clip.sound, folder), safe="/:"), whole)
    facts = {"job_id": clip.job_id, "role": clip.role, "channels": clip.channels}
    return library.schema.Clip(clip.name, media, whole, metadata={"athanor": facts})


def _time(library: Any, seconds: Fraction, rate: int) -> Any:
    exact = lcm(rate, seconds.denominator)
    return library.opentime.RationalTime(int(seconds * exact), exact)
