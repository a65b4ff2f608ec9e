# SPDX-License-Identifier: GPL-3.0-or-later
"""REAPER projects, read back by the package `rpp`."""

from fractions import Fraction

import pytest
import rpp as reader

from bridge.interchange import rpp


def test_a_project_reads_back_to_the_exact_sample(far_timeline, tmp_path):
    rpp.write(far_timeline, tmp_path / "far.rpp")
    project = reader.loads((tmp_path / "far.rpp").read_text(encoding="utf-8"))
    assert project.find("SAMPLERATE") == ["SAMPLERATE", "48000", "1", "0"]
    tracks = project.findall("TRACK")
    for element, track in zip(tracks, far_timeline.tracks, strict=True):
        clip, item = track.clips[0], element.find("ITEM")
        assert element.find("NAME")[1] == item.find("NAME")[1] == track.name
        position, length = (Fraction(float(item.find(name)[1])) for name in ("POSITION", "LENGTH"))
        assert round(position * clip.start.rate) == clip.start.samples
        assert round(length * clip.sample_rate) == clip.length
        file = item.find("SOURCE").find("FILE")[1]
        assert not file.startswith("/")
        assert (tmp_path / file).resolve() == clip.sound


@pytest.mark.parametrize(("name", "written"), [("a b", '"a b"'), ('say "hi"', "'say \"hi\"'"), ('a\'"', '`a\'"`'),
                                               ("`'\"", "`''\"`"), ("two\nlines", '"two lines"')])
def test_names_are_quoted_as_reaper_does(name, written):
    assert rpp.quoted(name) == written


def test_the_same_results_make_the_same_project(far_timeline, tmp_path):
    assert rpp.text(far_timeline, tmp_path) == rpp.text(far_timeline, tmp_path)
