# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenTimelineIO, read back by its own library."""

from fractions import Fraction
from urllib.parse import unquote

import opentimelineio
import pytest

from bridge.interchange import needs, otio
from server.errors import InvalidOption


def exact(time) -> Fraction:
    return Fraction(time.value) / Fraction(time.rate)


def test_a_timeline_reads_back_exactly(far_timeline, tmp_path):
    otio.write(far_timeline, tmp_path / "far.otio")
    read = opentimelineio.adapters.read_from_file(str(tmp_path / "far.otio"))
    assert read.name == "far"
    for written, track in zip(read.audio_tracks(), far_timeline.tracks, strict=True):
        clip = track.clips[0]
        gap, made = written
        assert (written.name, made.name) == (track.name, clip.name)
        assert exact(gap.duration()) == clip.start.seconds
        assert exact(made.duration()) == clip.duration
        assert (tmp_path / unquote(made.media_reference.target_url)).resolve() == clip.sound


def test_a_library_that_is_missing_is_said():
    with pytest.raises(InvalidOption, match=r"--as otio needs the package opentimelineio .*athanor-audio\[int"):
        needs.load("no_such_module_here", "opentimelineio", "otio")
