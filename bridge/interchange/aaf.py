# SPDX-License-Identifier: GPL-3.0-or-later
"""AAF: one composition with every clip's sound embedded as 24-bit mono, which Pro Tools, Nuendo and Logic import.

Positions count in samples of the project. Each channel is a track of its own: how a multichannel clip is told differs from
program to program, and mono is read by all.
"""

from __future__ import annotations

from math import ceil, log10
from pathlib import Path
from typing import Any

import numpy as np

from bridge.interchange.needs import load
from bridge.interchange.timeline import PlacedClip, Timeline, Track
from server.audio import read_clip

_BYTES = 3
_FULL = 1 << 23
_FRAMES = 25
_SIDES = ("L", "R")


def write(timeline: Timeline, path: Path) -> list[str]:
    """Write the composition to `path`, with the sound in it. Returns what a person should know of it.

    Raises:
        InvalidOption: the library is not installed.
        InvalidInput: a sound file cannot be read.
    """
    library = load("aaf2", "pyaaf2", "aaf")
    cut: list[str] = []
    with library.open(str(path), "w") as file:
        composition = file.create.CompositionMob(timeline.name)
        composition.usage = "Usage_TopLevel"
        file.content.mobs.append(composition)
        masters = {clip.sound: _master(file, clip, cut) for track in timeline.tracks for clip in track.clips}
        _timecode(file, composition, timeline)
        for track in timeline.tracks:
            for channel in range(track.channels):
                _slot(file, composition, track, channel, masters, timeline.sample_rate)
    return cut


def _timecode(file: Any, composition: Any, timeline: Timeline) -> None:
    """The timecode that the edit protocol wants of a composition: it begins at zero, as the timeline does."""
    last = max(clip.end for track in timeline.tracks for clip in track.clips)
    slot = composition.create_timeline_slot(_FRAMES)
    slot.name = "TC"
    slot["PhysicalTrackNumber"].value = 1
    slot.segment = file.create.Timecode(_FRAMES, drop=False)
    slot.segment.start, slot.segment.length = 0, ceil(last * _FRAMES)


def _slot(file: Any, composition: Any, track: Track, channel: int, masters: dict[Path, Any], rate: int) -> None:
    """One channel of a track: fillers and clips, in samples of the project."""
    slot = composition.create_empty_sequence_slot(rate, media_kind="sound")
    slot.name = _channel_name(track.name, channel, track.channels)
    now = 0
    for clip in (clip for clip in track.clips if channel < clip.channels):
        start, end = clip.start.at(rate), clip.end_at(rate)
        if start > now:
            slot.segment.components.append(file.create.Filler("sound", start - now))
        made = masters[clip.sound].create_source_clip(channel + 1, 0, end - start, "sound")
        slot.segment.components.append(made)
        now = end
    slot.segment.length = now


def _master(file: Any, clip: PlacedClip, cut: list[str]) -> Any:
    """A clip's master mob: slot c + 1 is channel c, each with a source mob that holds its samples; `cut` gets a sentence
    where they exceed full scale."""
    master = file.create.MasterMob(clip.name)
    master.comments["athanor job"] = clip.job_id
    master.comments["athanor role"] = clip.role
    file.content.mobs.append(master)
    samples = read_clip(clip.sound).samples
    peak = float(np.abs(samples).max())
    if peak > 1:
        cut.append(f"{clip.name}: peaks {20 * log10(peak):.1f} dB over full scale are cut off in the AAF's 24 bits; the "
                   "sound file itself has them whole.")
    for channel in range(clip.channels):
        source = file.create.SourceMob(_channel_name(clip.name, channel, clip.channels))
        file.content.mobs.append(source)
        _embed(file, source, samples[channel], clip.sample_rate)
        slot = master.create_timeline_slot(clip.sample_rate, channel + 1)
        slot["PhysicalTrackNumber"].value = channel + 1
        slot.segment = source.create_source_clip(1, 0, clip.length, "sound")
    return master


def _embed(file: Any, source: Any, samples: np.ndarray, rate: int) -> None:
    essence, slot = source.create_essence(rate, "sound")
    descriptor = file.create.PCMDescriptor()
    source.descriptor = descriptor
    for name, value in (("Channels", 1), ("BlockAlign", _BYTES), ("SampleRate", rate), ("AudioSamplingRate", rate),
                        ("AverageBPS", rate * _BYTES), ("QuantizationBits", 8 * _BYTES)):
        descriptor[name].value = value
    descriptor.length = slot.segment.length = len(samples)
    stream = essence.open("w")
    stream.write(packed(samples))


def packed(samples: np.ndarray) -> bytes:
    """float32 `[time]`, full scale 1, as 24-bit little-endian integers; what exceeds full scale is cut off there."""
    whole = np.clip(np.rint(samples.astype(np.float64) * _FULL), -_FULL, _FULL - 1).astype("<i4")
    return whole.view(np.uint8).reshape(-1, 4)[:, :_BYTES].tobytes()


def _channel_name(name: str, channel: int, channels: int) -> str:
    return name if channels == 1 else f"{name} {_SIDES[channel] if channels == 2 else channel + 1}"
