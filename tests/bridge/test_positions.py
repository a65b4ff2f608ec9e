# SPDX-License-Identifier: GPL-3.0-or-later
"""Positions on a timeline, as other programs send them."""

import pytest

from bridge.musical_time import musical_time
from bridge.positions import MOST_SAMPLES, MOST_SECONDS, exact, sample_position, seconds_as_samples
from bridge.regions import playback_rate_of
from server.errors import InvalidOption


@pytest.mark.parametrize(("value", "samples"), [
    (480000, 480000), (480000.0, 480000), ("480000", 480000), (" 123456789012345 ", 123456789012345), (0, 0),
    (2.0**24, 2**24),
])
def test_positions_in_samples_are_exact(value, samples):
    assert sample_position(value, "start") == samples


@pytest.mark.parametrize("value", [-1, "-1", 1.5, "1.5", "ten", "", float("nan"), float("inf"), b"1", "1/0"])
def test_what_is_no_position_is_refused(value):
    with pytest.raises(InvalidOption, match="number of samples"):
        sample_position(value, "start")


def test_a_float_that_may_have_been_rounded_is_refused():
    with pytest.raises(InvalidOption, match="send it as a text"):
        sample_position(20000000.0, "start")


@pytest.mark.parametrize(("value", "samples"), [(10, 480000), (0.5, 24000), ("0.1", 4800), ("600.10001", 28804800)])
def test_seconds_become_the_nearest_sample(value, samples):
    assert seconds_as_samples(value, 48000, "start_s") == samples


@pytest.mark.parametrize("value", [-0.1, "x", float("nan"), "inf", b""])
def test_what_is_no_time_is_refused(value):
    with pytest.raises(InvalidOption, match="start_s"):
        seconds_as_samples(value, 48000, "start_s")


@pytest.mark.parametrize("value", ["1e999999999", "1E+99999999", "1e-999999999", "1e" + 9 * "\u0669", "9" * 65])
def test_a_short_text_for_a_number_that_fills_the_memory_is_refused_unread(value):
    for read in (lambda: sample_position(value, "start"), lambda: seconds_as_samples(value, 48000, "start_s"),
                 lambda: musical_time(tempo=value), lambda: playback_rate_of(value)):
        with pytest.raises(InvalidOption, match="is not a number"):
            read()


@pytest.mark.parametrize(("text", "number"), [(" 1.5e3 ", 1500), ("3/4", 0.75), ("2e-2", 0.02)])
def test_texts_that_are_meant_are_read_exactly(text, number):
    assert float(exact(text)) == number


def test_a_position_beyond_any_timeline_is_refused_before_it_is_rendered():
    assert sample_position(str(MOST_SAMPLES), "start") == MOST_SAMPLES
    with pytest.raises(InvalidOption, match="beyond any timeline"):
        sample_position(str(MOST_SAMPLES + 1), "start")
    with pytest.raises(InvalidOption, match="beyond any timeline"):
        seconds_as_samples(MOST_SECONDS + 1, 48000, "start_s")
