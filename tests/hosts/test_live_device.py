# SPDX-License-Identifier: GPL-3.0-or-later
"""The Max for Live device's script on a FAKE of Max and of Live, with a real bridge and server behind it."""

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.adapters.amxd import unpack
from bridge.host_files import find_host, install
from server.audio import read_clip
from tests.hosts.max_fake import displayed, run_max
from tests.hosts.table import proved

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(240)]  # the first job waits for the server's worker
RATE, TEMPO, BEAT = 44100, 97.0, 1000.125
DEBUG = (["menu", "debug"], ["text", "@steps", 2, "@step_s", 0.01])


@pytest.fixture
def device(require_host, house, tmp_path):
    node = require_host("node")

    def run(set_: dict, until: str, *steps: tuple, **scenario) -> dict:
        said = [{"after": after, "say": say} for after, *say in steps]
        return run_max(node, tmp_path, "live/athanor_live.js", bridge=house.port, until=until, steps=said,
                       first=[["bang"]], set=set_, **scenario)

    return run


@pytest.fixture(scope="module")
def noise(house):
    """A stereo file of one second at 44.1 kHz under the import root."""
    samples = np.random.default_rng(3).uniform(-0.5, 0.5, (RATE, 2)).astype(np.float32)
    soundfile.write(house.root / "take ü.wav", samples, RATE, subtype="FLOAT")
    return samples


@pytest.fixture(scope="module")
def proof():
    """What the tests of this module have shown; written into the table when all are done."""
    yield from proved("Live, Max for Live", "LiveAPI of 12.0.5", real=False)


def live_set(house, clip: dict, *, slots: list | None = None, **more) -> dict:
    """A set with one audio track, whose clip is shown: unwarped, 0.25 to 0.45 s of the file, at an odd beat."""
    facts = {"file_path": str(house.root / "take ü.wav"), "start_time": BEAT, "end_time": BEAT + 0.2 * TEMPO / 60,
             "loop_start": 0.25, "loop_end": 0.45, "start_marker": 0.25} | clip
    track = {"name": "Vöx", "clips": [facts]} | ({"slots": slots} if slots else {})
    return {"tempo": TEMPO, "tracks": [track], "detail": [0, "clips", 0]} | more


def test_the_selected_clip_comes_back_on_a_take_lane_at_its_beat(device, house, noise, proof):
    begun = time.monotonic()
    seen = device(live_set(house, {}), "2: status 1 result", ("2: status ready", *DEBUG, ["render"]))
    (track,) = seen["live"]["tracks"]
    (source,), (lane,) = track["clips"], track["take_lanes"]
    assert (source["cut"], source["file_path"]) == (False, str(house.root / "take ü.wav"))
    (clip,) = lane["clips"]
    assert (clip["start_time"], clip["warping"]) == (BEAT, 0)
    assert np.array_equal(read_clip(clip["file_path"]).samples, noise[11025:11025 + 8820].T)
    placed = json.loads(Path(clip["file_path"]).with_suffix(".json").read_text())
    assert (placed["track"], placed["lane"], placed["tempo_bpm"], placed["meter"]) == ("Vöx", "take_lane", TEMPO, "4/4")
    assert placed["start_beats"] == BEAT
    assert placed["start_samples"] == round(BEAT * 60 / TEMPO * RATE)
    assert clip["name"] == lane["name"] == placed["name"]
    assert clip["color"] == int(placed["colour"][1:], 16)
    assert seen["sent"][-1][3:] == ["@where", "Live, take lane of Vöx"]
    proof.update(clip_out=True, audio="equal to what was heard", seconds=time.monotonic() - begun,
                 placed_off_samples=round(abs(clip["start_time"] - BEAT) * 60 / TEMPO * RATE))


def test_every_script_lies_where_the_device_finds_it(tmp_path, monkeypatch):
    monkeypatch.setenv("ATHANOR_HOME", str(tmp_path / "home"))
    written = install(find_host("live"), tmp_path / "User Library")
    device, = [path for path in written if path.suffix == ".amxd"]
    needed = re.findall(r'"(?:text|id)": "js ([\w.]+)', unpack(device.read_bytes())[0])
    for name in needed:
        needed += re.findall(r'require\("([^"]+)"\)', (device.parent / name).read_text())
    assert {path.name for path in written if path.suffix == ".js"} == set(needed)


def test_several_clips_go_out_together_and_a_new_track_takes_the_result(device, house, noise):
    seen = device(live_set(house, {}), "2: status 1 result", ("2: status ready", ["lane", "new", "track"], *DEBUG, ["add"]),
                  ("2: clips take", ["render"]))
    source, made = seen["live"]["tracks"]
    assert (source["take_lanes"], source["clips"][0]["cut"]) == ([], False)
    assert [clip["start_time"] for clip in made["clips"]] == [BEAT]
    assert made["name"] == made["clips"][0]["name"] != "Audio"


def test_a_session_clip_comes_back_in_the_next_empty_slot(device, house, noise):
    clip = {"file_path": str(house.root / "take ü.wav"), "loop_start": 0.25, "loop_end": 0.45}
    seen = device(live_set(house, {}, slots=[None, clip, clip, None], detail=[0, "slots", 1]), "2: status 1 result",
                  ("2: status ready", ["lane", "clip", "slot"], *DEBUG, ["render"]))
    slots = seen["live"]["tracks"][0]["slots"]
    assert [slot is None for slot in slots] == [True, False, False, False]
    assert read_clip(slots[3]["file_path"]).n_samples == 8820
    assert seen["sent"][-1][-1] == "Live, slot of Vöx"


def test_a_result_without_a_slot_waits_for_another_lane_and_lands_once(device, house, noise):
    clip = {"file_path": str(house.root / "take ü.wav"), "loop_start": 0.25, "loop_end": 0.45}
    seen = device(live_set(house, {}, slots=[clip]), "2: status 1 result",
                  ("2: status ready", ["lane", "clip", "slot"], *DEBUG, ["render"]),
                  ("0 empty slots on Vöx: make scenes", ["lane", "new", "track"]))
    assert [len(track["clips"]) for track in seen["live"]["tracks"]] == [1, 1]
    assert [sent[0] for sent in seen["sent"]].count("/athanor/v1/job/placed") == 1


def warped(markers: list, **facts) -> dict:
    listed = [{"beat_time": beat, "sample_time": time_s} for beat, time_s in markers]
    return {"warping": 1, "start_time": 8.0, "warp_markers": listed} | facts


@pytest.mark.parametrize(("clip", "said"), [
    # The clip's own tempo is the song's: what sounds is the file itself.
    (warped([(0, 0.0), (1, 60 / TEMPO)], loop_start=0.5, end_time=9.0),
     {"@offset_s": 30 / TEMPO, "@length_s": 60 / TEMPO}),
    # Twice as slow as the song.
    (warped([(0, 0.1), (1, 0.1 + 120 / TEMPO)], loop_start=0, end_time=8.5, warp_mode=4),
     {"@offset_s": 0.1, "@length_s": 60 / TEMPO, "@playback_rate": 2, "@preserve_pitch": 1}),
    (warped([(0, 0.0), (1, 30 / TEMPO)], loop_start=0, end_time=9.0, warp_mode=3),
     {"@offset_s": 0, "@length_s": 30 / TEMPO, "@playback_rate": 0.5, "@preserve_pitch": 0}),
    ({"pitch_coarse": 12, "pitch_fine": 0.0}, {"@offset_s": 0.25, "@length_s": 0.2, "@playback_rate": 2,
                                               "@preserve_pitch": 0}),
])
def test_what_sounds_is_said_to_the_bridge(device, house, noise, clip, said):
    seen = device(live_set(house, clip), "2: status (1 result|error|started)", ("2: status ready", *DEBUG, ["render"]))
    (add,) = [sent for sent in seen["sent"] if sent[0].endswith("/clip/add")]
    told = dict(zip(add[3::2], add[4::2], strict=True))
    assert {name: float(told[name]) for name in said} == pytest.approx(said, abs=1e-9)
    assert set(told) - set(said) == {"@start_s", "@start_beats", "@track"}


@pytest.mark.parametrize(("clip", "told"), [
    (warped([(0, 0.0), (1, 0.5), (2, 1.2)], end_time=9.0), "only Live can render"),
    (warped([(0, 0.0), (1, 0.5)], end_time=9.0, pitch_coarse=3), "Transpose to 0"),
    (warped([(0, 0.0), (1, 0.5)], end_time=20.0, looping=1, loop_start=0, loop_end=4, start_marker=0), "repeats its loop"),
    ({"is_audio_clip": 0}, "no audio clip"), (None, "select a clip first"),
])
def test_what_only_live_can_render_is_refused_in_words(device, house, noise, proof, clip, told):
    set_ = live_set(house, clip or {}) | ({"detail": None} if clip is None else {})
    seen = device(set_, told, ("2: status ready", *DEBUG, ["render"]))
    assert not any("/render/" in sent[0] for sent in seen["sent"])
    proof["error_shown"] = True


def test_a_job_is_cancelled(device, house, noise, proof):
    seen = device(live_set(house, {}), "2: status cancelled", ("2: status ready", ["menu", "debug"],
                  ["text", "@steps", 400, "@step_s", 0.05], ["render"]), (r"debug: .*/400", ["cancel"]))
    assert re.search(r"\d+/400", " ".join(displayed(seen, "status")))
    assert seen["live"]["tracks"][0]["take_lanes"] == []
    proof["cancel"] = True


def test_what_live_refuses_is_told_and_comes_again(device, house, noise):
    set_ = live_set(house, {"start_time": 1576801.0, "end_time": 1576802.0})
    seen = device(set_, "Live has no beat 1576801", ("2: status ready", *DEBUG, ["render"]))
    assert seen["live"]["tracks"][0]["take_lanes"] == []
    seen = device(live_set(house, {}), "Live has no beat 1576801")
    assert not any(sent[0].endswith("/placed") for sent in seen["sent"]), "not acknowledged, so it is told again"


def test_a_result_of_a_closed_set_lands_at_the_next_hello(device, house, noise):
    device(live_set(house, {}), "2: status started", ("2: status ready", *DEBUG, ["render"]), settleMs=10)
    seen = device({"tempo": TEMPO, "tracks": [{"name": "MIDI", "kind": "midi"}]}, "2: status 1 result", settleMs=1500)
    made = [clip for track in seen["live"]["tracks"] for clip in track["clips"]]
    assert [clip["start_time"] for clip in made] == [BEAT]
