# SPDX-License-Identifier: GPL-3.0-or-later
"""DAWproject files, read back with lxml, and held against the part of its schema that is written."""

import zipfile
from fractions import Fraction
from pathlib import Path

import pytest
from lxml import etree

from bridge.interchange import dawproject
from bridge.interchange.results import find_results
from bridge.interchange.timeline import arrange

SCHEMA = etree.RelaxNG(etree.parse(Path(__file__).with_name("dawproject.rng")))


@pytest.fixture
def written(far_timeline, tmp_path):
    dawproject.write(far_timeline, tmp_path / "far.dawproject")
    with zipfile.ZipFile(tmp_path / "far.dawproject") as archive:
        yield archive


def test_the_project_is_valid(written):
    SCHEMA.assertValid(etree.fromstring(written.read("project.xml")))
    metadata = etree.fromstring(written.read("metadata.xml"))
    assert (metadata.tag, metadata.findtext("Title")) == ("MetaData", "far")


@pytest.mark.parametrize(("old", "new"), [(b'unit="bpm"', b'unit="BPM"'), (b' time="', b' start="'),
                                          (b"Pan ", b"Panorama "), (b'destination="master"', b'destination="nowhere"')])
def test_the_schema_sees_what_is_wrong(written, old, new):
    broken = written.read("project.xml").replace(old, new, 1)
    assert not SCHEMA.validate(etree.fromstring(broken))


def test_clips_read_back_to_the_exact_sample_with_their_sound(written, far_timeline):
    project = etree.fromstring(written.read("project.xml"))
    names = {track.get("id"): track.get("name") for track in project.find("Structure")}
    lanes = project.find("Arrangement/Lanes")
    assert lanes.get("timeUnit") == "seconds"
    for lane, track in zip(lanes, far_timeline.tracks, strict=True):
        clip, element = track.clips[0], lane.find("Clips/Clip")
        audio = element.find("Audio")
        assert names[lane.get("track")] == element.get("name") == track.name
        assert round(Fraction(float(element.get("time"))) * clip.start.rate) == clip.start.samples
        assert round(Fraction(float(element.get("duration"))) * clip.sample_rate) == clip.length
        assert (audio.get("sampleRate"), audio.get("channels")) == (str(clip.sample_rate), str(clip.channels))
        assert written.read(audio.find("File").get("path")) == clip.sound.read_bytes()


def test_files_of_one_name_stay_apart(make_result, tmp_path):
    first = make_result("same")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in (first, first.with_suffix(".json")):
        (moved / path.name).write_bytes(path.read_bytes())
    timeline = arrange("two", find_results([str(first), str(moved)]))
    assert sorted(dawproject.embedded_names(timeline).values()) == ["audio/same-2.wav", "audio/same.wav"]
