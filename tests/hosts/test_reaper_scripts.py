# SPDX-License-Identifier: GPL-3.0-or-later
"""The REAPER scripts, each part by itself, on a FAKE of REAPER: no REAPER has run them."""

import numpy as np
import pytest
import soundfile

import presets
from tests.hosts.reaper_fake import HERE, FakeReaper

pytestmark = pytest.mark.hosts
RATE = 44100
WATCH = HERE / "watch_once.lua"


@pytest.fixture
def reaper(require_host, tmp_path):
    root = tmp_path / "import root"
    root.mkdir()
    return FakeReaper(require_host("lua5.4"), root, tmp_path)


@pytest.fixture
def ramp(tmp_path):
    """A stereo file in which every sample tells where it lies."""
    path = tmp_path / "söng.wav"
    samples = np.arange(RATE, dtype=np.float32) / RATE
    soundfile.write(path, np.stack([samples, -samples], axis=1), RATE, subtype="FLOAT")
    return path


def finished(reaper, request="r1", count=1, name="a", **fields):
    """Messages and files of a job that is done."""
    reaper.say("/ok", "reaper", "/athanor/v1/hello", 1, "0", str(reaper.root), "s1")
    (reaper.root / "results").mkdir(exist_ok=True)
    for index in range(1, count + 1):
        soundfile.write(reaper.root / "results" / f"{name}{index}.wav", np.zeros((480, 1)), 48000, subtype="FLOAT")
        (reaper.root / "results" / f"{name}{index}.json").write_text(
            f'{{"name": "Vox: k\\u00fchl \\"{index}\\"", "colour": "#d9822b", "sources": [{{"offset": -1.5}}]}}')
        reaper.say("/done", request, fields.get("job", "j1"), index, count, "fused", f"results/{name}{index}.wav",
                   f"results/{name}{index}.json", -1, 0.0, fields.get("start", "0"), 48000, "requested", 480, 48000, 1)


def test_an_item_goes_out_as_it_is_heard(reaper, ramp):
    item = {"file": ramp, "position": 123456.7890123, "length": 0.25, "offset": 0.5, "playrate": 1.5, "selected": True}
    unselected = {"file": ramp, "position": 0, "length": 1}
    seen = reaper.run("Athanor_render_to_tracks.lua", tracks=[{"name": "Vox ü", "items": [unselected, item]}], limit_s=0.2,
                      inputs='edit|@to "glass bell" @strength 0.7', tempo=90.5)
    said = reaper.said()
    assert [fields[0].removeprefix("/athanor/v1/") for fields in said] == ["clip/clear", "clip/add", "render/edit", "hello"]
    add, render, hello = said[1:]
    assert add[3:] == ["@start_s", "123456.7890123", "@track", "Vox ü"]
    assert render[2:9] == ["@lane", "new_track", "@tempo", "90.5", "@meter", "3/4", "@start_beats"]
    assert float(render[9]) == 123456.7890123 * 90.5 / 60
    assert render[10:] == ["@to", "glass bell", "@strength", "0.7"]
    assert add[1] == f"{render[1]}c1"
    assert hello[1:3] == ["reaper", "0"]
    sound, rate = soundfile.read(reaper.root / add[2], dtype="float32")
    assert (rate, len(sound)) == (RATE, round(0.25 * RATE))
    expected = 0.5 + 1.5 * np.arange(len(sound)) / RATE
    assert np.abs(sound - np.stack([expected, -expected], axis=1)).max() < 1e-5
    assert seen["ext"]["last"].startswith("edit|")


@pytest.mark.parametrize(("length_s", "samples"), [(0.2, 8820), (8820.25 / RATE, 8821), (0.3 - 0.1, 8820)])
def test_what_goes_out_is_not_shorter_than_the_item(reaper, ramp, length_s, samples):
    item = {"file": ramp, "position": 0, "length": length_s, "selected": True}
    reaper.run("Athanor_render_to_takes.lua", tracks=[{"name": "a", "items": [item]}], limit_s=0.1, inputs="edit|")
    assert soundfile.info(reaper.root / reaper.said()[1][2]).frames == samples


def test_fuse_takes_all_items_and_other_kinds_take_each(reaper, ramp):
    item = {"file": ramp, "position": 1, "length": 0.01, "selected": True}
    tracks = [{"name": "one", "items": [item]}, {"name": "", "items": [item]}]
    reaper.run("Athanor_fuse_selected_items.lua", tracks=tracks, limit_s=0.1)
    assert [said[0].rpartition("/")[2] for said in reaper.said()] == ["clear", "add", "add", "preset", "hello"]
    assert [said[-1] for said in reaper.said()[1:3]] == ["one", "söng.wav"]
    reaper.kept.clear()
    reaper.run("Athanor_clean_room.lua", tracks=tracks, limit_s=0.1)
    assert [said[0].rpartition("/")[2] for said in reaper.said()[5:]] == ["clear", "add", "preset"] * 2 + ["hello"]


def test_generate_needs_no_item_and_lies_at_the_edit_cursor(reaper):
    reaper.run("Athanor_render_to_tracks.lua", cursor=12.625, inputs="generate|@prompt rain", limit_s=0.1)
    render, _ = reaper.said()
    assert render[0] == "/athanor/v1/render/generate"
    assert render[-4:] == ["@prompt", "rain", "@start_s", "12.625"]


def test_a_preset_of_another_name_takes_the_whole_selection(reaper, ramp):
    item = {"file": ramp, "position": 1, "length": 0.01, "selected": True}
    reaper.run("Athanor_render_to_takes.lua", tracks=[{"name": "a", "items": [item, item]}], limit_s=0.1,
               inputs="preset my own|")
    assert [said[0].removeprefix("/athanor/v1/") for said in reaper.said()] == ["clip/clear", "clip/add", "clip/add",
                                                                                "preset", "hello"]
    assert reaper.said()[3][2:5] == ["my own", "@lane", "take_lane"]


GESTURES = {"Athanor_split_into_stems": ("separate_stems", False, ["@stem", "a low cello", "rain"]),
            "Athanor_four_edits_as_takes": ("edit_four", True, ["@to", "a low cello", "rain"]),
            "Athanor_fill_dropout": ("restore_dropout", True, ["@gap", "0.125000000:0.250000000"]),
            "Athanor_clean_room": ("restore_room", True, []), "Athanor_eight_variations": ("vary_eight", False, []),
            "Athanor_fuse_selected_items": ("fuse_equilibrium", False, [])}


@pytest.mark.parametrize("name", GESTURES)
def test_an_everyday_job_is_one_gesture_with_a_preset_that_exists(reaper, ramp, name):
    preset, as_takes, options = GESTURES[name]
    item = {"file": ramp, "position": 10, "length": 0.5, "selected": True}
    reaper.run(f"{name}.lua", tracks=[{"name": "a", "items": [item]}], limit_s=0.1, time_selection=[10.125, 10.25],
               inputs="a low cello, , rain ")
    asked = reaper.said()[2]
    assert asked[0] == "/athanor/v1/preset"
    assert presets.load(asked[2]).name == preset
    assert asked[3:5] == ["@lane", "take_lane" if as_takes else "new_track"]
    assert asked[11:] == options


def test_no_words_are_the_presets_own_and_a_dialog_that_is_closed_asks_for_nothing(reaper, ramp):
    tracks = [{"name": "a", "items": [{"file": ramp, "position": 10, "length": 0.5, "selected": True}]}]
    seen = reaper.run("Athanor_split_into_stems.lua", tracks=tracks, limit_s=0.1)
    assert seen["shown"]["asked"]["values"] == ", ".join(presets.load("separate_stems").options["stem"])
    assert reaper.said() == []
    reaper.run("Athanor_split_into_stems.lua", tracks=tracks, limit_s=0.1, inputs=" ")
    assert "@stem" not in reaper.said()[2]


def test_a_dropout_needs_a_time_selection_within_the_item(reaper, ramp):
    item = {"file": ramp, "position": 10, "length": 0.5, "selected": True}
    seen = reaper.run("Athanor_fill_dropout.lua", tracks=[{"name": "a", "items": [item]}], time_selection=[9.9, 10.25])
    assert seen["shown"]["boxes"] == ['Select the time of the dropout, within the item "söng.wav".']
    assert reaper.said() == []


def test_results_become_tracks_below_the_item_in_one_undo_step(reaper, ramp):
    item = {"file": ramp, "position": 1 / 3, "length": 0.01, "selected": True}
    guid = "{FAKE-MediaItem-0003}"
    reaper.kept = {"pending": f"r1,fuse,0,{guid},{1 / 3!r}"}
    finished(reaper, count=2, start="16000")
    seen = reaper.run(WATCH, tracks=[{"name": "Vox", "items": [item]}, {"name": "Bass"}])
    assert [track["name"] for track in seen["tracks"]] == ["Vox", 'Vox: kühl "1"', 'Vox: kühl "2"', "Bass"]
    placed = seen["tracks"][1]["items"][0]
    # The item begins between two samples; what was made of it begins where it does.
    assert placed["values"] == {"D_POSITION": 1 / 3, "D_LENGTH": 0.01, "B_LOOPSRC": 0, "D_FADEINLEN": 0, "D_FADEOUTLEN": 0}
    assert placed["takes"][0]["file"] == str(reaper.root / "results" / "a1.wav")
    assert seen["tracks"][1]["colour"] == 0x1000000 | 0x2B << 16 | 0x82 << 8 | 0xD9
    assert len(seen["tracks"][0]["items"][0]["takes"]) == 1
    assert seen["undo"] == ['Athanor: Vox: kühl "1"']
    assert reaper.said()[-1][0::2] == ["/athanor/v1/job/placed", "j1", "REAPER, 2 tracks"]
    assert seen["ext"]["pending"] == ""


def test_results_become_takes_of_the_item_and_the_take_that_sounds_stays(reaper, ramp):
    item = {"file": ramp, "position": 2, "length": 0.01, "selected": True}
    reaper.kept = {"pending": "r1,fuse,1,{FAKE-MediaItem-0003},2"}
    finished(reaper, start="96000")
    seen = reaper.run(WATCH, tracks=[{"name": "Vox", "items": [item]}])
    (track,) = seen["tracks"]
    assert track["items"][0]["active"] == 1
    assert [take["name"] for take in track["items"][0]["takes"]] == ["söng.wav", 'Vox: kühl "1"']


def test_a_result_of_an_earlier_session_lands_at_its_exact_sample_and_only_once(reaper):
    far = 2**33 + 7
    finished(reaper, start=str(far))
    finished(reaper, start=str(far))
    seen = reaper.run(WATCH)
    (track,) = seen["tracks"]
    assert round(track["items"][0]["values"]["D_POSITION"] * 48000) == far
    assert track["items"][0]["values"]["D_POSITION"] == far / 48000


def test_progress_is_shown_and_escape_cancels(reaper):
    reaper.kept = {"pending": "r1,fuse,0,,0"}
    reaper.say("/ok", "reaper", "/athanor/v1/hello", 1, "0", str(reaper.root), "s1")
    reaper.say("/progress", "r1", "j1", "sampling", 3, 10, 0.3, 6.2)
    seen = reaper.run(WATCH, press={"text": "sampling", "key": 27}, limit_s=0.3)
    assert seen["shown"]["rows"] == ["fuse: sampling 3/10, 7 s left"]
    assert [said[0::2] for said in reaper.said()][-1] == ["/athanor/v1/job/cancel", "r1"]
    reaper.say("/ok", "reaper", "/athanor/v1/hello", 1, "0", str(reaper.root), "s1")
    reaper.say("/cancelled", "r1", "j1")
    seen = reaper.run(WATCH)
    assert (seen["shown"]["console"], seen["shown"]["boxes"]) == (["Athanor: cancelled\n"], [])
    assert reaper.said()[-1][0::2] == ["/athanor/v1/job/ack", "j1"]


def test_errors_are_shown_in_words(reaper, ramp):
    reaper.kept = {"pending": "r1,fuse,0,,0;r2,edit,0,,0"}
    reaper.say("/ok", "reaper", "/athanor/v1/hello", 1, "0", str(reaper.root), "s1")
    reaper.say("/error", "r2c1", "/athanor/v1/clip/add", "invalid_input", "too short;\n\tgive more.")
    reaper.say("/error", "r2", "/athanor/v1/render/edit", "invalid_input", "no clip")
    reaper.say("/failed", "r1", "j1", "out_of_memory", 1, "The render does not fit.")
    seen = reaper.run(WATCH)
    assert seen["shown"]["boxes"] == ["too short;\n\tgive more.", "The render does not fit."]
    assert ["/athanor/v1/job/cancel", "r2"] in [said[0::2] for said in reaper.said()]


@pytest.mark.parametrize(("tracks", "told"), [([], "No item is selected"),
                                                ([("mono6", 6)], "has 6 channels; clips are mono")])
def test_what_cannot_be_sent_is_said(reaper, tmp_path, tracks, told):
    made = []
    for name, channels in tracks:
        soundfile.write(tmp_path / f"{name}.wav", np.zeros((100, channels)), RATE, subtype="FLOAT")
        made.append({"name": name, "items": [{"file": tmp_path / f"{name}.wav", "position": 0, "length": 0.001,
                                              "selected": True}]})
    seen = reaper.run("Athanor_fuse_selected_items.lua", tracks=made, limit_s=0.1)
    assert told in seen["shown"]["boxes"][0]
    assert reaper.said() == []


def test_the_fake_refuses_what_reaper_would(reaper, tmp_path):
    for call, message in (("reaper.CountTrack (0)", "CountTrack is nothing that the fake knows"),
                          ("reaper.GetTrack (0, 0.5)", "argument 2 is 0.5, not i"),
                          ("reaper.UpdateArrange (1)", "takes 0 arguments, not 1")):
        (tmp_path / "wrong.lua").write_text(call)
        with pytest.raises(AssertionError, match=message.replace("(", "\\(")):
            reaper.run(tmp_path / "wrong.lua")
