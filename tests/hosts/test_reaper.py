# SPDX-License-Identifier: GPL-3.0-or-later
"""The REAPER scripts on a FAKE of REAPER, with a real bridge and server behind the spool folder."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from server.audio import read_clip
from tests.hosts.reaper_fake import HERE, FakeReaper
from tests.hosts.table import proved

pytestmark = pytest.mark.hosts
RATE = 44100
FAR_S = 2**24 / 48000 + 1 / 3
ESCAPE = 27


@pytest.fixture
def reaper(require_host, house, tmp_path):
    return FakeReaper(require_host("lua5.4"), house.root, tmp_path)


@pytest.fixture
def session(tmp_path):
    """A track whose item is a part of a 44.1 kHz stereo file, beyond 2^24 samples and between two of them."""
    noise = np.random.default_rng(7).uniform(-0.5, 0.5, (RATE, 2)).astype(np.float32)
    soundfile.write(tmp_path / "take.wav", noise, RATE, subtype="FLOAT")
    item = {"file": tmp_path / "take.wav", "position": FAR_S, "length": 0.2, "offset": 0.25, "selected": True}
    return [{"name": "Vox", "items": [item]}], noise[11025:11025 + 8820].T


@pytest.fixture(scope="module")
def proof():
    yield from proved("REAPER", "its Lua interface", real=False)


def asked(options: str = "@steps 3 @step_s 0.02") -> str:
    return f"debug|{options}"


def test_an_item_comes_back_on_a_track_below_exactly_where_it_was(reaper, session, proof):
    tracks, heard = session
    begun = time.monotonic()
    seen = reaper.run("Athanor_render_to_tracks.lua", tracks=tracks, inputs=asked())
    assert seen["shown"]["boxes"] == [] and not seen["timed_out"]
    source, made = seen["tracks"]
    (item,) = made["items"]
    assert item["values"]["D_POSITION"] == FAR_S
    assert item["values"]["D_LENGTH"] == 0.2
    result = Path(item["takes"][0]["file"])
    assert np.array_equal(read_clip(result).samples, heard)
    placed = json.loads(result.with_suffix(".json").read_text())
    assert (placed["track"], placed["lane"], placed["tempo_bpm"], placed["meter"]) == ("Vox", "new_track", 120.0, "3/4")
    assert placed["start_samples"] == round(FAR_S * RATE)
    assert (made["name"], len(source["items"][0]["takes"])) == (placed["name"], 1)
    assert len(seen["undo"]) == 1
    assert reaper.run(HERE / "watch_once.lua")["tracks"] == [], "what was placed is not announced again"
    proof.update(clip_out=True, placed_off_samples=round(abs(item["values"]["D_POSITION"] - FAR_S) * RATE),
                 audio="equal to what was heard", seconds=time.monotonic() - begun)


def test_it_comes_back_as_a_take(reaper, session):
    tracks, heard = session
    seen = reaper.run("Athanor_render_to_takes.lua", tracks=tracks, inputs=asked())
    (track,) = seen["tracks"]
    takes = track["items"][0]["takes"]
    assert [Path(take["file"]).name == "take.wav" for take in takes] == [True, False]
    assert np.array_equal(read_clip(takes[1]["file"]).samples, heard)
    assert track["items"][0]["active"] == 1


def test_escape_cancels_the_job(reaper, session, proof):
    seen = reaper.run("Athanor_render_to_tracks.lua", tracks=session[0], inputs=asked("@steps 1000 @step_s 0.03"),
                      press={"text": "/1000", "key": ESCAPE})
    assert seen["shown"]["console"] == ["Athanor: cancelled\n"]
    assert any(row.startswith("debug: ") and "/1000" in row for row in seen["shown"]["rows"])
    assert (len(seen["tracks"]), seen["ext"]["pending"]) == (1, "")
    proof["cancel"] = True


@pytest.mark.parametrize(("inputs", "told"), [("debug|@stepz 3", "did you mean 'steps'"), ("fuze|", "did you mean"),
                                              ("debug|@misbehave fail", "")])
def test_errors_are_shown_in_words(reaper, session, proof, inputs, told):
    seen = reaper.run("Athanor_render_to_tracks.lua", tracks=session[0], inputs=inputs)
    assert len(seen["shown"]["boxes"]) == 1
    assert told in seen["shown"]["boxes"][0]
    proof["error_shown"] = True


def test_a_result_waits_for_a_reaper_that_was_closed(reaper, session):
    tracks, heard = session
    seen = reaper.run("Athanor_render_to_takes.lua", tracks=tracks, until_row="debug",
                      inputs=asked("@steps 20 @step_s 0.05"))
    assert len(seen["tracks"][0]["items"][0]["takes"]) == 1
    seen = reaper.run(HERE / "watch_once.lua", tracks=tracks)
    takes = seen["tracks"][0]["items"][0]["takes"]
    assert np.array_equal(read_clip(takes[1]["file"]).samples, heard)
