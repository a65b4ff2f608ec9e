# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and colours of a result's lane."""

import re

import pytest

from bridge.lanes import colour, lane, lane_name
from server.errors import InvalidOption
from server.kinds import KINDS


def test_a_lane_is_called_by_its_source_and_what_tells_it_apart():
    assert lane_name("vox", "dog barking", "stem_2") == "vox: dog barking"
    assert lane_name("vox", "", "fused_1") == "vox: fused 1"
    assert lane_name("", "", "generated_1") == "generated 1"
    assert len(lane_name("x" * 200, "y", "z")) == 80


def test_every_result_that_is_a_sound_has_a_colour_of_its_family():
    roles = [spec.role for kind in KINDS.values() for spec in kind.results if spec.media == "audio/wav"]
    assert all(re.fullmatch("#[0-9a-f]{6}", colour(role)) for role in (*roles, "echo"))
    assert len({colour(role) for role in ("fused", "generated", "stem", "residual", "edited", "restored")}) == 6
    assert colour("echo") not in {colour(role) for role in roles}


def test_an_unknown_lane_is_refused_by_the_nearest_name():
    assert lane("take_lane") == "take_lane"
    with pytest.raises(InvalidOption, match="did you mean 'take_lane'"):
        lane("takelane")
