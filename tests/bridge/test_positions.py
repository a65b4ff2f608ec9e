# SPDX-License-Identifier: GPL-3.0-or-later
"""Positions on a timeline, as other programs send them."""

import pytest

from bridge.positions import sample_position, seconds_as_samples
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
