# SPDX-License-Identifier: GPL-3.0-or-later
from fractions import Fraction
from pathlib import Path

from bridge.interchange.results import find_results
from bridge.interchange.timeline import arrange, reference


def test_starts_and_lengths_are_exact_whatever_they_count_in(far_timeline):
    starts = {track.name: track.clips[0].start for track in far_timeline.tracks}
    assert starts["late"].at(48000) == 2**33 + 7
    assert starts["tape"].seconds == Fraction(44100 * 400 + 1, 44100)
    assert starts["tape"].at(48000) == 48000 * 400 + 1  # 1.088 samples of 48 kHz
    assert far_timeline.tracks[3].clips[0].duration == Fraction(1, 100)


def test_clips_of_one_name_share_a_track_until_they_overlap(make_result, tmp_path):
    paths = [make_result(name, start=start, samples=480) for name, start in (("a", 480), ("b", 0), ("c", 0))]
    results = find_results(map(str, paths))
    shared = [(path, record.model_copy(update={"file": "same.wav"})) for path, record in results]
    one = [(path.with_name("same.wav"), record) for path, record in shared]
    tracks = arrange("x", one).tracks
    assert [[clip.start.samples for clip in track.clips] for track in tracks] == [[0, 480], [0]]


def test_the_project_takes_the_highest_rate_that_starts_count_in(make_result):
    results = find_results([str(make_result("a", start_rate=44100)), str(make_result("b", start_rate=96000))])
    assert arrange("x", results).sample_rate == 96000
    assert arrange("x", results, 48000).sample_rate == 48000


def test_sounds_are_named_relative_to_the_project():
    assert reference(Path("/music/results/a b.wav"), Path("/music/projects")) == "../results/a b.wav"
