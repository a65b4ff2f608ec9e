# SPDX-License-Identifier: GPL-3.0-or-later
"""Placement records and stamps: the right sample, the written schema, and whole files only."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pedalboard.io
import pytest
import soundfile
from pydantic import ValidationError
from wavinfo import WavInfoReader

from bridge.musical_time import MusicalTime
from bridge.placement import (
    Origin,
    Placement,
    SourceClip,
    Start,
    checksum,
    decide_start,
    place,
    record_path,
    result_stem,
    stamp,
)
from server import __version__
from server.audio import Clip, read_bext
from server.errors import StorageError

JOB = "0123456789abcdef0123456789abcdef"
CREATED = datetime(2026, 11, 20, 4, 51, 30, tzinfo=UTC)
DOCS = Path(__file__).resolve().parents[2] / "docs"


def noise(sample_rate: int = 48000, channels: int = 2, n_samples: int = 4801) -> Clip:
    rng = np.random.default_rng(1)
    return Clip(0.1 * rng.standard_normal((channels, n_samples)), sample_rate)


def origin(start: Start, **more) -> Origin:
    return Origin(JOB, "req1", CREATED, start, "fuse", **more)


def test_the_start_is_as_requested_else_the_stamp_else_zero():
    requested = Start(7, 48000, "requested")
    assert decide_start(requested, 99, 44100) == requested
    assert decide_start(None, 99, 44100) == Start(99, 44100, "bext")
    assert decide_start(None, None, 44100) == Start(0, 44100, "zero")
    assert decide_start(None, 0, 44100).source == "bext"


@pytest.mark.parametrize(("samples", "rate", "to", "expected"), [
    (480000, 48000, 48000, 480000),
    (480000, 48000, 44100, 441000),
    (480000, 48000, 16000, 160000),
    (1, 48000, 96000, 2),
    (1, 96000, 48000, 1),           # half a sample: up
    (1, 48000, 44100, 1),           # 0.919
    (2**53 + 1, 48000, 48000, 2**53 + 1),   # beyond a double
    (147 * 10**12, 44100, 48000, 160 * 10**12),
])
def test_positions_convert_between_rates_exactly(samples, rate, to, expected):
    assert Start(samples, rate, "requested").at(to) == expected


def test_a_placed_result_is_read_by_soundfile_wavinfo_and_pedalboard_at_the_right_sample(tmp_path):
    clip = noise()
    path = tmp_path / "new folder" / "fusé 1.wav"
    record = place(clip, path, "fused", origin(Start(480000, 48000, "requested"), history="A=PCM,F=48000\r\n",
                                                description="glass bells"), {"backbone": {"name": "embedded"}})
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == 48000
    assert np.array_equal(samples.T, clip.samples)
    with pedalboard.io.AudioFile(str(path)) as file:
        assert np.array_equal(file.read(file.frames), clip.samples)
    bext = WavInfoReader(str(path)).bext
    assert bext.time_reference == 480000
    assert bext.originator == "Athanor"
    assert bext.originator_ref == JOB
    assert bext.description == "glass bells"
    assert (bext.originator_date, bext.originator_time) == ("2026-11-20", "04:51:30")
    history = read_bext(path).coding_history.splitlines()
    assert history[0] == "A=PCM,F=48000"
    assert history[1] == f"A=PCM,F=48000,W=32,M=stereo,T=Athanor {__version__} fuse embedded"
    assert record.checksum == checksum(path)
    assert sorted(p.name for p in path.parent.iterdir()) == ["fusé 1.json", "fusé 1.wav"]


def test_the_record_says_where_in_both_rates_when_they_differ(tmp_path):
    path = tmp_path / "g.wav"
    place(noise(16000, 1, 100), path, "generated", origin(Start(100001, 48000, "requested")), {"kind": "generate"})
    record = Placement.model_validate_json(record_path(path).read_text())
    assert (record.start_samples, record.start_rate) == (100001, 48000)
    assert record.time_reference_samples == read_bext(path).time_reference_samples == 33334
    assert (record.sample_rate, record.length_samples, record.channels) == (16000, 100, 1)
    assert record.start_seconds == 100001 / 48000
    assert (record.lane, record.job_id, record.request_id) == ("new_track", JOB, "req1")
    assert record.created == "2026-11-20T04:51:30+00:00"


def test_the_record_is_frozen_and_refuses_what_it_does_not_know(tmp_path):
    record = place(noise(), tmp_path / "a.wav", "fused", origin(Start(0, 48000, "zero")), {})
    with pytest.raises(ValidationError):
        record.file = "b.wav"
    with pytest.raises(ValidationError):
        Placement.model_validate(record.model_dump() | {"colour": "red"})
    with pytest.raises(ValidationError):
        Placement.model_validate(record.model_dump() | {"schema_version": 2})
    with pytest.raises(ValidationError):
        SourceClip(role="original", file="a", sample_rate=1, length_samples=1, channels=1, checksum="md5:0")


def test_the_published_schema_is_the_models():
    published = json.loads((DOCS / "placement-v1.schema.json").read_text())
    assert published == json.loads(json.dumps(Placement.model_json_schema())), \
        "run: python -m bridge.placement > docs/placement-v1.schema.json"
    assert set(published["required"]) >= {"file", "start_samples", "start_rate", "start_seconds", "start_source",
                                          "length_samples", "sample_rate", "role", "job_id", "request_id", "checksum"}


def test_placing_again_gives_the_same_bytes(tmp_path):
    path = tmp_path / "a.wav"
    first = place(noise(), path, "fused", origin(Start(5, 48000, "bext")), {"kind": "fuse"})
    assert place(noise(), path, "fused", origin(Start(5, 48000, "bext")), {"kind": "fuse"}) == first


def test_a_folder_that_can_not_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match="cannot be made"):
        place(noise(), tmp_path / "file" / "a.wav", "fused", origin(Start(0, 48000, "zero")), {})


def test_a_stamp_takes_any_prompt():
    assert stamp(noise(), origin(Start(0, 48000, "zero"), description="é" * 2000), {}).pack()


def test_result_names_say_what_they_are_made_of(tmp_path):
    assert result_stem(["bell 1", "drone/é"], "fused -9 dB", JOB) == "bell_1+drone_é-fused_-9_dB-01234567"
    assert result_stem([], "generated", JOB) == "athanor-generated-01234567"
    assert len(result_stem(["x" * 500], "fused", JOB)) < 120
    (tmp_path / f"{result_stem(['鐘' * 80], 'stem_1_' + 40 * 'x', JOB)}.wav").touch()  # not too long for a file's name


def test_the_record_says_what_a_host_needs_to_lay_it_out(tmp_path):
    music = MusicalTime(tempo_bpm=90.0, meter="6/8", key="A minor")
    path = tmp_path / "a.wav"
    asked = origin(Start(480000, 48000, "requested"), music=music, track="Vox 1", lane="take_lane", result="stem_2",
                   words="dog barking")
    record = place(noise(), path, "stem", asked, {"kind": "separate", "seed": 5})
    assert (record.start_beats, record.tempo_bpm, record.meter, record.key) == (15.0, 90.0, "6/8", "A minor")
    assert (record.track, record.name) == ("Vox 1", "Vox 1: dog barking")
    assert (record.lane, record.colour) == ("take_lane", "#3d7edb")
    ixml = WavInfoReader(str(path)).ixml
    assert (ixml.project, ixml.take, ixml.family_uid) == ("Athanor", "Vox 1: dog barking", JOB)
    said = replace(asked, music=music.model_copy(update={"start_beats": 16.5}))
    assert place(noise(), path, "stem", said, {}).start_beats == 16.5
    assert place(noise(), path, "stem", origin(Start(0, 48000, "zero")), {}).start_beats is None


@pytest.mark.parametrize(("fields", "name"), [
    ({"track": "Vox", "description": "bells"}, "Vox: fused 1"), ({"description": "glass bells"}, "glass bells: fused 1"),
    ({}, "fused 1"),
])
def test_a_lane_is_called_by_track_else_clip_else_words(tmp_path, fields, name):
    asked = origin(Start(0, 48000, "zero"), result="fused_1", **fields)
    assert place(noise(), tmp_path / "a.wav", "fused", asked, {}).name == name
    source = SourceClip(role="clip", file="takes/drone é.wav", sample_rate=48000, length_samples=9, channels=1,
                        checksum=f"sha256:{'0' * 64}")
    of_clip = place(noise(), tmp_path / "a.wav", "fused", replace(asked, sources=(source,)), {}).name
    assert of_clip == (name if fields.get("track") else "drone é: fused 1")


def test_a_record_of_an_older_athanor_is_read(tmp_path):
    path = tmp_path / "a.wav"
    place(noise(), path, "fused", origin(Start(5, 48000, "bext")), {"kind": "fuse"})
    fields = json.loads(record_path(path).read_text())
    for name in ("start_beats", "tempo_bpm", "meter", "key", "track", "name", "colour", "files"):
        del fields[name]
    old = Placement.model_validate(fields)
    assert (old.start_samples, old.lane, old.name, old.colour) == (5, "new_track", "", "")
