# SPDX-License-Identifier: GPL-3.0-or-later
"""A region of a timeline as it sounds: a part of a file (or of a pair of mono files), played at a rate.

Positions and lengths count in samples of the file. What comes out keeps the file's sample rate and is exactly
round(used_samples / playback_rate) samples long, so that a host may lay it where the region lies.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from pydantic import BaseModel, ConfigDict

from bridge.positions import exact, sample_position, seconds_as_samples
from plugin_host.stretch import time_stretch
from server.audio import Clip, ClipHeader, read_clip, read_header, to_length
from server.errors import InvalidInput, InvalidOption

LEAST_RATE, MOST_RATE = Fraction(1, 64), Fraction(64)


class Region(BaseModel):
    """Which part of a file sounds, and how.

    offset_samples, used_samples: in samples of the file. playback_rate: decimal text, 2 is twice as fast. preserve_pitch:
    faster or slower at the file's own pitch; else as a tape. right: the second mono file, whose sound is the right channel,
    and right_name what the client calls it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    offset_samples: int = 0
    used_samples: int
    playback_rate: str = "1"
    preserve_pitch: bool = False
    right: Path | None = None
    right_name: str = ""

    @property
    def rate(self) -> Fraction:
        return Fraction(self.playback_rate)

    @property
    def length_samples(self) -> int:
        """Length as it sounds, in samples at the file's rate: nearest, halves up, at least one."""
        return max(1, math.floor(self.used_samples / self.rate + Fraction(1, 2)))


def region_of(path: Path, name: str, given: dict[str, Any], right: Path | None = None, right_name: str = "") -> Region:
    """The region that the options of `clip/add` describe, checked against the file's header.

    Args:
        path, name: the file, and what an error calls it.
        given: any of offset, length (samples of the file), offset_s, length_s (seconds of it), playback_rate and
            preserve_pitch, as they came.
        right, right_name: the second mono file of a stereo pair.

    Raises:
        InvalidInput: a file that cannot be read, a region outside the file, or two files that are no pair.
        InvalidOption: a value that is none, or one thing said twice.
    """
    header = read_header(path, name=name)
    if right is not None:
        _check_pair(header, name, read_header(right, name=right_name), right_name)
    rate = playback_rate_of(given.get("playback_rate", 1))
    offset = _samples(given, "offset", header.sample_rate) or 0
    if offset >= header.n_samples:
        raise InvalidInput(f"{name} has {header.n_samples} samples; a region cannot begin at sample {offset}.")
    left = header.n_samples - offset
    used = _samples(given, "length", header.sample_rate)
    used = left if used is None else used
    if "length_s" in given and used == left + 1:  # seconds that were rounded on their way
        used = left
    if not 0 < used <= left:
        raise InvalidInput(f"a region of {used} samples from sample {offset} does not lie within {name}, which has "
                           f"{header.n_samples}; give a length of 1 to {left}.")
    return Region(offset_samples=offset, used_samples=used, playback_rate=rate, right=right, right_name=right_name,
                  preserve_pitch=_switch(given.get("preserve_pitch", 0)))


def playback_rate_of(value: Any) -> str:
    """A playback rate as decimal text; InvalidOption where it is none from 1/64 to 64."""
    try:
        rate = exact(str(value))
    except (ValueError, ZeroDivisionError):
        raise InvalidOption(f"playback_rate={value!r} is not a number.") from None
    if not LEAST_RATE <= rate <= MOST_RATE:
        raise InvalidOption(f"playback_rate={value} is outside 1/64 to 64. A reversed region is rendered in the host "
                            "first.")
    return str(value).strip()


def is_whole_file(region: Region, header: ClipHeader) -> bool:
    """Whether a region is nothing but its file."""
    return (region.offset_samples, region.used_samples, region.rate, region.right) == (0, header.n_samples, 1, None)


def sounding(path: Path, region: Region, *, limit_s: float | None = None, name: str | None = None) -> Clip:
    """The region as it sounds, at the file's sample rate. Arguments and errors as `read_clip`."""
    parts = [read_clip(file, name=called or None, start=region.offset_samples, n_samples=region.used_samples)
             for file, called in ((path, name or ""), (region.right, region.right_name)) if file is not None]
    clip = replace(parts[0], samples=np.concatenate([part.samples for part in parts]))
    seconds = region.length_samples / clip.sample_rate
    if limit_s is not None and seconds > limit_s:
        raise InvalidInput(f"the region of {name or path} is {seconds:.1f} s long; at most {limit_s:g} s are allowed. "
                           "Cut it.")
    if region.rate == 1:
        return to_length(clip, region.length_samples)
    if region.preserve_pitch:
        return time_stretch(clip, float(region.rate), region.length_samples)
    return varispeed(clip, region.rate, region.length_samples)


def varispeed(clip: Clip, rate: Fraction, n_samples: int) -> Clip:
    """The clip as a tape at `rate` times its speed: sample k of the result lies at sample k * rate of the clip.

    Band-limited (soxr, VHQ); `n_samples` long, silence following where the clip has ended.
    """
    padded = np.pad(clip.samples, ((0, 0), (0, 2 + math.ceil(2 * rate))))
    played = soxr.resample(padded.T, float(clip.sample_rate * rate), float(clip.sample_rate), quality="VHQ").T
    return to_length(Clip(played, clip.sample_rate), n_samples)


def _samples(given: dict[str, Any], key: str, sample_rate: int) -> int | None:
    """`key` in samples, or `key`_s in seconds, as samples; None where neither is given."""
    if key in given and f"{key}_s" in given:
        raise InvalidOption(f"{key} and {key}_s say the same thing; give one of them.")
    if f"{key}_s" in given:
        return seconds_as_samples(given[f"{key}_s"], sample_rate, f"{key}_s")
    return sample_position(given[key], key) if key in given else None


def _switch(value: Any) -> bool:
    if str(value).strip() not in ("0", "1", "0.0", "1.0"):
        raise InvalidOption(f"preserve_pitch={value!r} is neither 1 nor 0.")
    return float(value) == 1.0


def _check_pair(left: ClipHeader, left_name: str, right: ClipHeader, right_name: str) -> None:
    for header, name in ((left, left_name), (right, right_name)):
        if header.channels != 1:
            raise InvalidInput(f"{name} has {header.channels} channels; a stereo pair is two mono files. Leave out @right.")
    if (left.sample_rate, left.n_samples) != (right.sample_rate, right.n_samples):
        raise InvalidInput(f"{left_name} ({left.n_samples} samples at {left.sample_rate} Hz) and {right_name} "
                           f"({right.n_samples} at {right.sample_rate}) differ in length or rate, so they are no pair.")
