# SPDX-License-Identifier: GPL-3.0-or-later
from fractions import Fraction
from pathlib import Path

from bridge.interchange.results import find_results
from bridge.interchange.timeline import arrange, reference


def test_starts_and_lengths_are_exact_whatever_they_count_in(far_timeline):
    starts = {track.name: track.clips[0].start for track in far_timeline.tracks}
    assert starts["late: fused"].at(48000) == 2**33 + 7
    assert starts["tape: fused"].seconds == Fraction(44100 * 400 + 1, 44100)
    assert starts["tape: fused"].at(48000) == 48000 * 400 + 1  # 1.088 samples of 48 kHz
    assert far_timeline.tracks[3].clips[0].duration == Fraction(1, 100)


def test_clips_of_one_name_share_a_track_until_they_overlap(make_result, tmp_path):
    paths = [make_result(name, start=start, samples=480) for name, start in (("a", 480), ("b", 0), ("c", 0))]
    results = find_results(map(str, paths))
    tracks = arrange("x", [(path, record.model_copy(update={"name": "same"})) for path, record in results]).tracks
    assert [[clip.start.samples for clip in track.clips] for track in tracks] == [[0, 480], [0]]


def test_the_project_takes_the_highest_rate_that_starts_count_in(make_result):
    results = find_results([str(make_result("a", start_rate=44100)), str(make_result("b", start_rate=96000))])
    assert arrange("x", results).sample_rate == 96000
    assert arrange("x", results, 48000).sample_rate == 48000


def test_sounds_are_named_relative_to_the_project():
    assert reference(Path("/music/results/a b.wav"), Path("/music/projects")) == "../results/a b.wav"


def test_tempo_metre_name_and_colour_are_the_record_s(make_result):
    (path, record), = find_results([str(make_result("a"))])
    assert (arrange("x", [(path, record)]).tempo_bpm, arrange("x", [(path, record)]).meter) == (120.0, (4, 4))
    told = record.model_copy(update={"tempo_bpm": 90.5, "meter": "6/8"})
    timeline = arrange("x", [(path, record), (path, told)])
    assert (timeline.tempo_bpm, timeline.meter) == (90.5, (6, 8))
    assert (timeline.tracks[0].name, timeline.tracks[0].colour) == ("a: fused", record.colour)
    assert record.colour.startswith("#")
