# SPDX-License-Identifier: GPL-3.0-or-later
"""The control surface for Live without Max, on a FAKE of Live's object model, with a real bridge and server behind it."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from server.audio import read_clip
from tests.hosts.live.fake_live import SCRIPTS, FakeClip, FakeInstance, FakeSong, FakeTrack, scripts
from tests.hosts.table import proved

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(240)]  # the first job waits for the server's worker
RATE, TEMPO, BEAT = 44100, 97.0, 300000.125
DEBUG = "athanor debug @steps 2 @step_s 0.01"
_LIMIT_S = 90


class Marker:
    """A warp marker."""

    def __init__(self, beat_time: float, sample_time: float) -> None:
        self.beat_time, self.sample_time = beat_time, sample_time


class Live:
    """A set with one audio track and one clip, shown; and our surface in it."""

    def __init__(self, surfaces, house, file, facts=None, track=None) -> None:
        self.song = FakeSong(TEMPO)
        self.track = FakeTrack(self.song, "Vöx", **(track or {}))
        self.song.tracks.append(self.track)
        default = {"start_time": BEAT, "end_time": BEAT + 0.2 * TEMPO / 60, "loop_start": 0.25, "loop_end": 0.45}
        self.clip = FakeClip(self.track, str(file), default | (facts or {}))
        self.track.arrangement_clips.append(self.clip)
        self.song.view.detail_clip = self.clip
        self.instance = FakeInstance(self.song)
        self.surface = surfaces(self.instance, bridge=("127.0.0.1", house.port))

    def until(self, text: str) -> str:
        """Live's display goes on until a message has that in it."""
        end = time.monotonic() + _LIMIT_S
        seen = 0
        while time.monotonic() < end:
            self.surface.update_display()
            fresh, seen = self.instance.shown[seen:], len(self.instance.shown)
            if any(text in message for message in fresh):
                return next(message for message in fresh if text in message)
            time.sleep(0.02)
        raise AssertionError(f"{text!r} was not shown: {self.instance.shown}")


@pytest.fixture
def live(house):
    with scripts() as module:
        surface = __import__("Athanor.surface").surface
        opened = []
        samples = np.random.default_rng(5).uniform(-0.5, 0.5, (RATE, 2)).astype(np.float32)
        soundfile.write(house.root / "take ü.wav", samples, RATE, subtype="FLOAT")

        def start(facts=None, track=None) -> Live:
            assert module.create_instance  # what Live looks for
            opened.append(Live(surface.Athanor, house, house.root / "take ü.wav", facts, track))
            opened[-1].until("ready; files lie in")
            return opened[-1]

        start.heard = samples[11025:11025 + 8820].T
        yield start
        for each in opened:
            each.surface.disconnect()
            assert each.surface.disconnected


@pytest.fixture(scope="module")
def proof():
    """What the tests of this module have shown; written into the table when all are done."""
    yield from proved("Live, control surface", "object model of 12.0.5", real=False)


def test_a_renamed_clip_is_rendered_onto_a_new_track_at_its_beat(live, proof):
    begun = time.monotonic()
    set_ = live()
    set_.clip.name = "My take"
    set_.surface.update_display()
    set_.clip.name = DEBUG
    set_.until("track Vöx")
    source, made = set_.song.tracks
    assert (source.arrangement_clips, source.take_lanes, set_.clip.name) == ([set_.clip], [], "My take")
    (clip,) = made.arrangement_clips
    assert (clip.start_time, clip.warping) == (BEAT, False)
    assert np.array_equal(read_clip(clip.file_path).samples, live.heard)
    placed = json.loads(Path(clip.file_path).with_suffix(".json").read_text())
    assert (placed["track"], placed["lane"], placed["tempo_bpm"], placed["meter"], placed["start_beats"]) == \
        ("Vöx", "new_track", TEMPO, "7/8", BEAT)
    assert made.name == clip.name == placed["name"]
    assert made.color == clip.color == int(placed["colour"][1:], 16)
    assert set_.song.undo_steps == ["begin", "end"]
    again = live()
    for _ in range(30):
        again.surface.update_display()
        time.sleep(0.02)
    assert len(again.song.tracks) == 1, "what was placed is not announced again"
    proof.update(clip_out=True, audio="equal to what was heard", seconds=time.monotonic() - begun,
                 placed_off_samples=round(abs(clip.start_time - BEAT) * 60 / TEMPO * RATE))


def test_takes_lie_on_a_lane_of_the_source_s_track(live):
    set_ = live()
    set_.clip.name = DEBUG.replace("debug", "takes debug")
    set_.until("take lanes of Vöx")
    (lane,) = set_.track.take_lanes
    assert [clip.start_time for clip in lane.arrangement_clips] == [BEAT]
    assert lane.name == lane.arrangement_clips[0].name


def test_a_frozen_track_gets_no_lane_but_a_new_track_beside_it(live):
    set_ = live(track={"frozen": True})
    set_.clip.name = DEBUG.replace("debug", "takes debug")
    set_.until("track Vöx")
    assert (set_.track.take_lanes, len(set_.song.tracks)) == ([], 2)


WARPED = {"warping": True, "start_time": 8.0, "end_time": 9.0, "loop_start": 0.5, "loop_end": 1.5}


@pytest.mark.parametrize(("facts", "markers", "said"), [
    (WARPED, [(0, 0.0), (1, 60 / TEMPO)], {"@offset_s": 30 / TEMPO, "@length_s": 60 / TEMPO}),
    (WARPED | {"warp_mode": 4}, [(0, 0.1), (1, 0.1 + 120 / TEMPO)],
     {"@offset_s": 0.1 + 60 / TEMPO, "@length_s": 120 / TEMPO, "@playback_rate": 2, "@preserve_pitch": 1}),
    (WARPED | {"warp_mode": 3}, [(0, 0.0), (1, 30 / TEMPO)],
     {"@offset_s": 15 / TEMPO, "@length_s": 30 / TEMPO, "@playback_rate": 0.5, "@preserve_pitch": 0}),
    ({"pitch_coarse": -12}, [], {"@offset_s": 0.25, "@length_s": 0.2, "@playback_rate": 0.5, "@preserve_pitch": 0}),
])
def test_what_sounds_is_described_as_the_device_does(live, facts, markers, said):
    set_ = live(facts | {"warp_markers": tuple(Marker(*each) for each in markers)})
    from Athanor.clip import describe
    options = describe(set_.clip, TEMPO, "Vöx")
    told = dict(zip(options[::2], options[1::2], strict=True))
    assert {name: float(told[name]) for name in said} == pytest.approx(said, abs=1e-9)
    assert set(told) - set(said) == {"@start_s", "@start_beats", "@track"}


@pytest.mark.parametrize(("facts", "name", "told"), [
    (WARPED | {"warp_markers": (Marker(0, 0.0), Marker(1, 0.5), Marker(2, 1.2))}, DEBUG, "only Live can render"),
    (WARPED | {"warp_markers": (Marker(0, 0.0), Marker(1, 0.5)), "pitch_coarse": 2}, DEBUG, "Transpose to 0"),
    ({}, "athanor debug @stepz 3", "did you mean 'steps'"), ({}, "athanor fuze", "did you mean"),
    ({}, 'athanor edit @to "glass', "No closing quotation"), ({}, "athanor preset", "preset NAME"),
])
def test_errors_are_shown_in_the_status_bar(live, proof, facts, name, told):
    set_ = live(facts)
    set_.clip.name = name
    assert set_.until(told).startswith("Athanor: ")
    assert (len(set_.song.tracks), set_.clip.name) == (1, "take")
    proof["error_shown"] = True


def test_generate_hears_no_clip_and_begins_where_the_named_one_does(live):
    set_ = live()
    sent = []
    set_.surface._link.in_turn = lambda requests, then: sent.extend(requests)
    set_.clip.name = "athanor generate @prompt rain"
    set_.surface.update_display()
    set_.clip.name = "athanor preset edit_four"
    set_.surface.update_display()
    assert [request[0] for request in sent] == ["clip/clear", "clip/clear", "clip/add"]


def test_a_job_is_cancelled(live, proof):
    set_ = live()
    set_.clip.name = "athanor debug @steps 400 @step_s 0.05"
    set_.until("/400")
    set_.clip.name = "athanor cancel"
    set_.until("Athanor: cancelled")
    assert len(set_.song.tracks) == 1
    proof["cancel"] = True


def test_a_result_beyond_live_s_last_beat_is_told_and_a_closed_set_gets_its_result_later(live):
    set_ = live({"start_time": 1576801.0})
    set_.clip.name = DEBUG
    set_.until("Live has no beat 1576801")
    assert len(set_.song.tracks) == 1
    set_.clip.name = "athanor cancel"
    set_.surface.update_display()
    later = live()
    later.until("Live has no beat 1576801")


def test_the_files_are_free_to_copy():
    for path in SCRIPTS.glob("Athanor/*.py"):
        assert path.read_text().startswith("# SPDX-License-Identifier: MIT")
