# SPDX-License-Identifier: GPL-3.0-or-later
"""AAF, read back by OpenTimelineIO's AAF adapter and, for the sound in it, by pyaaf2."""

import aaf2
import numpy as np
import opentimelineio
import pytest

from bridge.interchange import aaf
from bridge.interchange.results import find_results
from bridge.interchange.timeline import arrange
from server.audio import read_clip


def test_a_composition_reads_back_to_the_exact_sample(far_timeline, tmp_path):
    aaf.write(far_timeline, tmp_path / "far.aaf")
    read = opentimelineio.adapters.read_from_file(str(tmp_path / "far.aaf"), simplify=True)
    expected = {name: track.clips[0] for track in far_timeline.tracks
                for name in ([track.name] if track.channels == 1 else [f"{track.name} L", f"{track.name} R"])}
    assert [track.name for track in read.audio_tracks()] == list(expected)
    for track in read.audio_tracks():
        clip = expected[track.name]
        gap, made = track
        assert gap.duration().rate == made.duration().rate == 48000
        assert gap.duration().value == clip.start.at(48000)
        assert made.duration().value == clip.end_at(48000) - clip.start.at(48000)
        assert made.name == clip.name


def test_the_sound_in_it_is_the_clip_s_to_24_bits(make_result, tmp_path):
    sound = make_result("pair", channels=2, sample_rate=44100, start=2**24 + 1)
    aaf.write(arrange("one", find_results([str(sound)])), tmp_path / "one.aaf")
    samples = read_clip(sound).samples
    with aaf2.open(str(tmp_path / "one.aaf"), "r") as file:
        (composition,) = file.content.toplevel()
        (timecode,) = [slot.segment for slot in composition.slots if slot.media_kind == "Timecode"]
        assert (timecode.start, timecode.fps, timecode.length) == (0, 25, 8739)  # 349.53 s
        sources = {mob.name: mob for mob in file.content.sourcemobs()}
        for side, name in enumerate(("pair: fused L", "pair: fused R")):
            raw = np.frombuffer(sources[name].essence.open("r").read(), np.uint8).reshape(-1, 3)
            whole = np.pad(raw, ((0, 0), (1, 0))).reshape(-1).view("<i4") >> 8
            assert np.abs(whole / 2**23 - samples[side]).max() <= 2**-24
            assert int(sources[name].descriptor["SampleRate"].value) == 44100


def test_what_exceeds_full_scale_is_said(make_result, tmp_path):
    loud, soft = make_result("loud", level=2.0), make_result("soft")
    (told,) = aaf.write(arrange("two", find_results([str(loud), str(soft)])), tmp_path / "two.aaf")
    assert told.startswith("loud: fused: peaks 6.0 dB over full scale are cut off")


@pytest.mark.parametrize(("sample", "packed"), [(0.0, b"\0\0\0"), (1.5, b"\xff\xff\x7f"), (-1.0, b"\0\0\x80"),
                                                (2**-23, b"\1\0\0")])
def test_full_scale_is_where_24_bits_end(sample, packed):
    assert aaf.packed(np.array([sample], np.float32)) == packed
