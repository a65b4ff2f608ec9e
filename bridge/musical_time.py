# SPDX-License-Identifier: GPL-3.0-or-later
"""Tempo, metre, key, bars and beats, as a host tells them with a request. Pure.

A beat is a quarter note, and a tempo counts quarter notes a minute, whatever the metre: so hosts do, too. Between beats and
seconds one tempo holds; where a session changes it, the start in samples is what counts.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from pydantic import BaseModel, ConfigDict

from bridge.positions import exact
from server.errors import InvalidOption

LEAST_TEMPO, MOST_TEMPO = 10, 1000
_NOTES = (1, 2, 4, 8, 16, 32, 64)
_MOST_KEY = 40
_MOST_BEATS = 10**7


class MusicalTime(BaseModel):
    """What a request says of its music; empty where it says nothing.

    tempo_bpm: quarter notes a minute. meter: as `6/8`. key: in words, as `A minor`. start_beats: where the source clip
    starts, in quarter notes from the session's zero.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tempo_bpm: float | None = None
    meter: str = ""
    key: str = ""
    start_beats: float | None = None


def musical_time(tempo: Any = None, meter: Any = None, key: Any = None, start_beats: Any = None) -> MusicalTime:
    """The options of that name, checked.

    Raises:
        InvalidOption: one that is out of its range.
    """
    said = None if key is None else " ".join(str(key).split())
    if said and len(said) > _MOST_KEY:
        raise InvalidOption(f"key={said[:20]!r}... has {len(said)} characters; at most {_MOST_KEY} are allowed: 'A minor'.")
    return MusicalTime(
        tempo_bpm=None if tempo is None else float(_number(tempo, "tempo", LEAST_TEMPO, MOST_TEMPO)),
        meter="" if meter is None else "{}/{}".format(*_meter(meter)), key=said or "",
        start_beats=None if start_beats is None else float(_number(start_beats, "start_beats", 0, _MOST_BEATS)))


def in_words(text: str, music: MusicalTime) -> str:
    """A prompt with `{key}`, `{tempo}` and `{meter}` replaced by what the request says of them; other braces stay.

    Raises:
        InvalidOption: the prompt asks for one that the request does not say.
    """
    said = {"key": music.key, "meter": music.meter, "tempo": "" if music.tempo_bpm is None else f"{music.tempo_bpm:g}"}

    def word(asked: re.Match[str]) -> str:
        if not said[asked[1]]:
            raise InvalidOption(f"the prompt says {asked[0]}; give @{asked[1]}, or leave it out of the prompt.")
        return said[asked[1]]

    return re.sub(r"\{(key|meter|tempo)\}", word, text)


def bars_as_seconds(bars: Any, tempo: Any, meter: Any = None) -> Fraction:
    """How long so many bars last, in seconds, exactly; in 4/4 where no metre is given.

    Raises:
        InvalidOption: no tempo, or a number that is none or out of its range.
    """
    if tempo is None:
        raise InvalidOption(f"bars={bars} needs @tempo, in quarter notes a minute (and @meter, where it is not 4/4).")
    above, below = _meter("4/4" if meter is None else meter)
    quarters = _number(bars, "bars", Fraction(1, 64), 10_000) * above * Fraction(4, below)
    return beats_as_seconds(quarters, tempo)


def beats_as_seconds(beats: Any, tempo: Any) -> Fraction:
    """The time of a position in quarter notes at one tempo, in seconds, exactly. Raises as `bars_as_seconds`."""
    return _number(beats, "start_beats", 0, _MOST_BEATS) * 60 / _number(tempo, "tempo", LEAST_TEMPO, MOST_TEMPO)


def seconds_as_beats(seconds: Fraction, tempo_bpm: float) -> float:
    """A time as a position in quarter notes at one tempo."""
    return float(seconds * Fraction(tempo_bpm) / 60)


def _number(value: Any, name: str, least: Fraction | int, most: int) -> Fraction:
    try:
        number = exact(value)
    except (ValueError, TypeError, OverflowError, ZeroDivisionError):
        raise InvalidOption(f"{name}={value!r} is not a number.") from None
    if not least <= number <= most:
        raise InvalidOption(f"{name}={value} is outside {least} to {most}.")
    return number


def _meter(value: Any) -> tuple[int, int]:
    parts = re.fullmatch(r"\s*(\d{1,2})\s*/\s*(\d{1,2})\s*", str(value))
    above, below = (int(parts[1]), int(parts[2])) if parts else (0, 0)
    if above == 0 or below not in _NOTES:
        raise InvalidOption(f"meter={value!r} is not a metre; write it as 4/4 or 6/8.")
    return above, below
