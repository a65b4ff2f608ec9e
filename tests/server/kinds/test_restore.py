# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from server.errors import InvalidInput, InvalidOption
from server.kinds import parse_options

CLIP = frozenset({"clip"})


def parse(roles=CLIP, **options):
    return parse_options("restore", options, roles)


def test_what_a_command_line_sends_is_understood():
    options = parse(task="inpaint", gap=("1.0:1.8", "3:4"), vmc=False, algorithm="dps", steps="20")
    assert options.gap == ((1.0, 1.8), (3.0, 4.0)) and options.vmc is False and options.steps == 20


@pytest.mark.parametrize(("options", "says"), [
    ({"task": "inpaint"}, "--gap 1.0:1.8"),
    ({"task": "separate"}, "two or more stems in words"),
    ({"task": "separate", "stem": ("cello", " ")}, "two or more stems in words"),
    ({"task": "separate", "stem": ("a", "b", "")}, "two or more stems in words"),
    ({"task": "super_resolution", "cutoff_hz": 0.001}, "greater than or equal to 20"),
    ({"task": "separate", "stem": ("a", "b"), "prompt": "c"}, "takes its words from the stems"),
    ({"task": "denoise", "rt60": 0.5}, "rt60 belongs to task=dereverb, not to denoise"),
    ({"task": "dereverb", "cutoff_hz": 4000}, "cutoff_hz belongs to task=super_resolution"),
    ({"task": "inpaint", "gap": "2:1"}, "does not begin at 0 s or later and end after that"),
    ({"task": "denoise", "literal": True}, "literal is for algorithm=dps and dsg"),
    ({}, "needs the option 'task'"),
])
def test_what_a_task_needs_or_cannot_use_is_said(options, says):
    with pytest.raises(InvalidOption, match=says):
        parse(**options)


def test_inputs_belong_to_their_tasks():
    room = frozenset({"clip", "room"})
    parse(room, task="dereverb")
    with pytest.raises(InvalidInput, match="'room' belongs to task=dereverb"):
        parse(room, task="denoise")
    with pytest.raises(InvalidInput, match="'magnitude' belongs to task=phase_retrieval"):
        parse(frozenset({"clip", "magnitude"}), task="inpaint", gap="1:2")
    with pytest.raises(InvalidOption, match="rt60 and a recording of the room both say"):
        parse(room, task="dereverb", rt60=0.5)
