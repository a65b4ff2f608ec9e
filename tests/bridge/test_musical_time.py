# SPDX-License-Identifier: GPL-3.0-or-later
"""Bars, beats and tempo become seconds exactly, and nonsense is refused."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.musical_time import MusicalTime, bars_as_seconds, beats_as_seconds, musical_time, seconds_as_beats
from server.errors import InvalidOption


@pytest.mark.parametrize(("bars", "tempo", "meter", "seconds"), [
    (1, 120, None, 2), (4, 120, "4/4", 8), (2, 90, "3/4", 4), (1, 60, "6/8", 3), ("1/2", 120, "4/4", 1),
    (8, "133.33", "7/8", Fraction(8 * 7 * 60 * 100, 2 * 13333)), (1.5, 60.0, " 2 / 2 ", 6),
])
def test_bars_last_as_long_as_they_do_in_a_host(bars, tempo, meter, seconds):
    assert bars_as_seconds(bars, tempo, meter) == seconds


@given(st.fractions(0, 10**6, max_denominator=960), st.integers(10, 1000))
def test_beats_and_seconds_are_inverse(beats, tempo):
    assert seconds_as_beats(beats_as_seconds(str(beats), tempo), float(tempo)) == pytest.approx(float(beats), rel=1e-15)


def test_what_is_said_is_kept_and_tidied():
    assert musical_time() == MusicalTime()
    said = musical_time("120.5", "06/8", "  A   minor ", 16.0)
    assert said == MusicalTime(tempo_bpm=120.5, meter="6/8", key="A minor", start_beats=16.0)


@pytest.mark.parametrize(("given_", "reason"), [
    ({"tempo": 5}, "10 to 1000"), ({"tempo": "quick"}, "not a number"), ({"tempo": float("inf")}, "not a number"),
    ({"meter": "4"}, "4/4 or 6/8"), ({"meter": "4/3"}, "4/4 or 6/8"), ({"meter": "0/4"}, "4/4 or 6/8"),
    ({"key": "x" * 41}, "41 characters"), ({"start_beats": -1}, "0 to"),
])
def test_nonsense_is_refused(given_, reason):
    with pytest.raises(InvalidOption, match=reason):
        musical_time(**given_)


def test_bars_without_a_tempo_are_refused():
    with pytest.raises(InvalidOption, match="needs @tempo"):
        bars_as_seconds(4, None)
