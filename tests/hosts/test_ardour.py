# SPDX-License-Identifier: GPL-3.0-or-later
"""Ardour itself: what is heard of a selection goes out, results come back at their exact sample, faults included."""

import re
import subprocess
import time

import numpy as np
import pytest
import soundfile

from tests.hosts.ardour_program import LISTING, RATE, Ardour, regions_of
from tests.hosts.display import until
from tests.hosts.table import proved

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(180)]
STEREO_AT, OTHER_AT = 48000, 240001
MANY_STEPS = "render/debug\n@steps 2000 @step_s 0.02\n"
SHORT = "render/debug\n@steps 3\n"
IMPORT = """
local function import (path, position)
  local files = C.StringVector () files:push_back (path)
  Editor:do_import (files, Editing.ImportDistinctFiles, Editing.ImportAsTrack, ARDOUR.SrcQuality.SrcBest,
    ARDOUR.MidiTrackNameSource.SMFTrackName, ARDOUR.MidiTempoMapDisposition.SMFTempoIgnore,
    Temporal.timepos_t (position), ARDOUR.PluginInfo (), ARDOUR.Track (), false)
end
"""
SELECT = """
local chosen = ArdourUI.SelectionList ()
for route in Session:get_tracks ():iter () do
  for region in route:to_track ():playlist ():region_list ():iter () do
    if (" NAMES "):find (" " .. route:name () .. " ", 1, true) then
      chosen:push_back (Editor:regionview_from_region (region))
    end
  end
end
Editor:set_selection (chosen, ArdourUI.SelectionOp.Set)
"""
LIST_HERE = "local S = Session " + LISTING + ' return "{" .. table.concat (tracks, ", ") .. "}"'


@pytest.fixture(scope="module")
def sounds(house, tmp_path_factory):
    """A stereo file at 48 kHz and a mono one at 44.1 kHz, each half a second, with a space in the path."""
    folder = tmp_path_factory.mktemp("own sounds")
    noise = np.random.default_rng(1).normal(0, 0.1, (24000, 2)).astype(np.float32)
    soundfile.write(folder / "stereo.wav", noise, RATE, subtype="FLOAT")
    time_s = np.arange(22050) / 44100
    sine = (0.3 * np.sin(2 * np.pi * 500 * time_s)).astype(np.float32)
    soundfile.write(folder / "other.wav", sine, 44100, subtype="FLOAT")
    return folder


@pytest.fixture(scope="module")
def ardour(require_host, house, sounds, tmp_path_factory):
    """Ardour with a session of two tracks: `stereo`, trimmed and at half its gain, and `other`, from a 44.1 kHz file."""
    program = Ardour(require_host, tmp_path_factory.mktemp("ardour"), house.home)
    try:
        program.install()
        program.start(program.new_session("song"))
        program.do(IMPORT + f'import ("{sounds}/stereo.wav", {STEREO_AT}) import ("{sounds}/other.wav", {OTHER_AT})')
        program.do("""
          for route in Session:get_tracks ():iter () do
            for region in route:to_track ():playlist ():region_list ():iter () do
              if route:name () == "stereo" then
                region:to_audioregion ():set_scale_amplitude (0.5)
                region:trim_front (Temporal.timepos_t (48000 + 1000))
              end
            end
          end""")
        yield program
    finally:
        program.stop()


@pytest.fixture(scope="module")
def proof(require_host):
    said = subprocess.run([str(require_host("ardour")), "--version"], capture_output=True, text=True).stdout
    yield from proved("Ardour", re.search(r"Ardour *(\d+\.\d+)", said)[1], real=True)


def render(ardour, what, *tracks):
    (ardour.session / "athanor.preset").write_text(what)
    ardour.do(SELECT.replace("NAMES", " ".join(tracks)))
    ardour.action("render with a preset")


def listed(ardour):
    return regions_of(ardour.do(LIST_HERE))


def placed(ardour, count):
    """Wait until that many jobs were placed in the session."""
    until(lambda: ardour.log().count("placed job") >= count, f"{count} jobs to be placed; {ardour.log()}")


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)


@pytest.fixture(scope="module")
def first(ardour, house):
    """Both regions rendered, one job each, and placed: seconds that it took, and the clips that went out."""
    started = time.monotonic()
    render(ardour, SHORT, "stereo", "other")
    placed(ardour, 2)
    return time.monotonic() - started, sorted((house.root / "clips").glob("*.wav"))


def test_what_is_heard_of_a_region_goes_out(first, sounds, proof):
    _, (other, stereo) = first
    samples, rate = read(stereo)
    source, _ = read(sounds / "stereo.wav")
    assert (rate, samples.shape) == (RATE, (23000, 2))
    # Ardour fades a region in and out over 64 samples; between them every sample is the source's, at half its gain.
    assert np.array_equal(samples[64:-64], 0.5 * source[1064:-64])
    assert np.all(np.abs(samples[:64]) <= np.abs(0.5 * source[1000:1064]) + 1e-7)

    samples, rate = read(other)
    assert rate == RATE
    assert abs(len(samples) - 24000) <= 1
    wave = 0.3 * np.sin(2 * np.pi * 500 * np.arange(24000) / RATE)
    assert np.max(np.abs(samples[500:23500, 0] - wave[500:23500])) < 1e-3
    proof["clip_out"] = True


def test_results_lie_on_new_named_tracks_at_the_exact_sample_below_their_source(ardour, first):
    tracks = listed(ardour)
    names = list(tracks)
    assert names[:1] == ["stereo"]
    assert len(names) == 4
    new = {name: regions for name, regions in tracks.items() if "echo" in name}
    assert [names[names.index(name) - 1] for name in new] == ["stereo", "other"]
    (stereo,), (other,) = new.values()
    assert (stereo["start"], stereo["length"], stereo["channels"]) == (STEREO_AT + 1000, 23000, 2)
    assert (other["start"], other["channels"]) == (OTHER_AT, 1)
    assert abs(other["length"] - 24000) <= 1
    assert [len(tracks[name]) for name in ("stereo", "other")] == [1, 1]
    assert tracks["stereo"][0]["start"] == STEREO_AT + 1000


def test_one_undo_takes_a_jobs_regions_back_and_redo_brings_them_again(ardour, first):
    before = listed(ardour)
    ardour.do("Editor:undo (1)")
    undone = listed(ardour)
    assert sum(map(len, undone.values())) == sum(map(len, before.values())) - 1
    assert [len(undone[name]) for name in ("stereo", "other")] == [1, 1]
    ardour.do("Editor:redo (1)")
    assert listed(ardour) == before


def test_a_session_that_is_opened_again_sounds_as_it_should(ardour, first, proof):
    ardour.action("Common/Save")
    file = ardour.session / "song.ardour"
    until(lambda: file.read_text().count("echo") > 0, "the session to be saved")
    said = ardour.lua(f'local S = load_session ("{ardour.session}", "song") {LISTING} '
                      'print ("{" .. table.concat (tracks, ", ") .. "}")')
    tracks = regions_of(said)
    starts = {name: regions[0]["start"] for name, regions in tracks.items() if regions}
    off = [abs(starts[name] - at) for name, at in zip([name for name in starts if "echo" in name],
                                                       [STEREO_AT + 1000, OTHER_AT], strict=True)]
    # Ardour exports from where its first region was when it came in.
    mix = ardour.export(ardour.session)[1000:]
    _, (other, stereo) = first
    clip, _ = read(stereo)
    # The source at half its gain, and the result on top of it, both faded at their ends.
    heard = mix[64:len(clip) - 64]
    assert np.max(np.abs(heard - 2 * clip[64:-64])) < 1e-5
    gap = OTHER_AT - STEREO_AT - 1000
    assert np.max(np.abs(mix[len(clip) + 10:gap - 10])) == 0
    assert max(off) == 0
    proof.update(placed_off_samples=0, audio="mix exported, below 1e-5", seconds=first[0])


def test_a_selected_range_is_a_hole_in_the_region_under_it(ardour, first):
    # The newest track is selected: the result of `other`.
    hole = ", ".join(f"Temporal.timepos_t ({OTHER_AT + offset})" for offset in (1000, 2200))
    ardour.do(f'Editor:set_loop_range ({hole}, "hole")')
    heard = """
      local scope, options = setmetatable ({}, { __index = _G }), {}
      function scope.require (name)
        return loadfile (ARDOUR.user_config_directory (-1) .. "/athanor/" .. name .. ".lua", "t", scope) ()
      end
      local clips = scope.require "clips"
      local clip = clips.around_range (options)[1]
      return ("%d %d %s"):format (clip.start, clip.channels, table.concat (options, " "))"""

    def said() -> str:
        """What is selected, asked until the selection has come round: on a busy machine the action waits for its window."""
        ardour.action("Editor/select-loop-range")
        return ardour.do(heard)

    until(lambda: said() == f"{OTHER_AT} 1 @gap 0.020833333:0.045833333", "the range is selected")


def test_the_person_is_told_what_is_wrong_in_a_window_and_in_the_log(ardour, first, proof):
    render(ardour, "no_such_preset\n", "stereo")
    ardour.display.close_window("Athanor: a request was refused")
    assert "There is no preset 'no_such_preset'" in ardour.log()
    render(ardour, "render/debug\n@misbehave fail\n", "stereo")
    ardour.display.close_window("Athanor: a render failed")
    ardour.action("fuse two regions")
    ardour.display.close_window("Athanor: error")
    assert "1 region is selected; select 2 and try again." in ardour.log()
    proof["error_shown"] = True


def test_a_render_is_cancelled_from_within(ardour, first, proof):
    render(ardour, MANY_STEPS, "stereo")
    until(lambda: "open" in (ardour.session / "athanor.state").read_text(), "the render to be asked for")
    ardour.action("cancel the newest render")
    until(lambda: "cancelled job" in ardour.log(), "the render to stop")
    until(lambda: "open" not in (ardour.session / "athanor.state").read_text(), "the render to be no longer open")
    proof["cancel"] = True


def test_a_result_waits_for_a_session_that_was_closed(ardour, first):
    count = ardour.log().count("placed job")
    render(ardour, "render/debug\n@steps 20 @step_s 0.05\n", "stereo")
    until(lambda: "open" in (ardour.session / "athanor.state").read_text(), "the render to be asked for")
    ardour.action("Common/Save")
    ardour.close()
    ardour.start(ardour.session)
    placed(ardour, count + 1)
    assert ardour.log().count("placed job") == count + 1


def test_a_result_lands_although_the_server_was_killed_in_between(ardour, first, house):
    count = ardour.log().count("placed job")
    render(ardour, "render/debug\n@steps 40 @step_s 0.05\n", "stereo")
    until(lambda: "open" in (ardour.session / "athanor.state").read_text(), "the render to be asked for")
    house.kill_server()
    house.start_server()
    placed(ardour, count + 1)


def test_a_result_whose_file_is_gone_is_told_once_and_lands_when_it_is_back(ardour, first, house, tmp_path):
    count, had = ardour.log().count("placed job"), set((house.root / "results").glob("*.wav"))
    render(ardour, SHORT.replace("3", "20 @step_s 0.05"), "stereo")
    until(lambda: "open" in (ardour.session / "athanor.state").read_text(), "the render to be asked for")
    ardour.action("Common/Save")
    ardour.close()
    client = re.search("client (.+)", (ardour.session / "athanor.state").read_text())[1]

    def announced():
        return any("/done" in path.read_text() for path in (house.root / "spool" / client / "out").glob("*.msg"))

    until(announced, "the render to be done")
    (result,) = set((house.root / "results").glob("*.wav")) - had
    result.rename(tmp_path / "away.wav")
    ardour.start(ardour.session)
    ardour.display.close_window("Athanor: a result cannot be placed")
    for _ in range(2):
        until(announced, "the result to be announced again")
        until(lambda: not announced(), "the announcement to be read")
    (tmp_path / "away.wav").rename(result)
    placed(ardour, count + 1)
    assert ardour.log().count("a result cannot be placed") == 1
