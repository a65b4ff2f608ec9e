# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ableton Extension: type-checked against our declarations, and run on a FAKE of Live's Extension Host over the HTTP of
a real bridge with a real server behind it."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import presets
from bridge.routes import PREFIX, ROUTES
from server.audio import read_clip
from tests.hosts.table import proved

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(240)]  # the first job waits for the server's worker
SOURCE = Path(__file__).resolve().parents[2] / "bridge" / "hosts" / "live" / "extension"
FAKE = Path(__file__).with_name("live") / "fake_sdk.js"
RATE, TEMPO = 44100, 90.0
FIRST, LAST = 1.5, 2.25


@pytest.fixture(scope="module")
def built(require_host, tmp_path_factory):
    """The script that tsc makes of our sources, with the compiler that the lock file pins."""
    npm, node = require_host("npm"), require_host("node")
    folder = tmp_path_factory.mktemp("extension")
    shutil.copytree(SOURCE, folder, dirs_exist_ok=True)
    subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=folder, check=True, capture_output=True, timeout=110)
    compiler = [node, "node_modules/typescript/bin/tsc"]
    ended = subprocess.run(compiler, cwd=folder, capture_output=True, text=True, timeout=110)
    assert ended.returncode == 0, ended.stdout
    return folder / "build" / "extension.js"


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Two tracks' sound: stereo and mono noise from beat 0 on."""
    folder = tmp_path_factory.mktemp("tracks")
    random = np.random.default_rng(11)
    samples = {"Vöx": random.uniform(-0.5, 0.5, (3 * RATE, 2)), "Bass": random.uniform(-0.5, 0.5, (3 * RATE, 1))}
    for name, data in samples.items():
        soundfile.write(folder / f"{name}.wav", data, RATE, subtype="FLOAT")
    return {name: folder / f"{name}.wav" for name in samples}


@pytest.fixture
def live(require_host, built, house, sounds, tmp_path):
    node = require_host("node")

    def run(title: str = "", chosen=(0,), home=None, **scenario) -> dict:
        path = tmp_path / "scenario.json"
        path.write_text(json.dumps({
            "extension": str(built), "folder": str(tmp_path), "tempo": TEMPO, "title": title,
            "tracks": [{"name": name, "file": str(file)} for name, file in sounds.items()],
            "selection": [FIRST, LAST, list(chosen)], **scenario}))
        ended = subprocess.run([str(node), str(FAKE), str(path)], capture_output=True, text=True, timeout=110,
                               env=os.environ | {"ATHANOR_HOME": str(home or house.home)})
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    return run


@pytest.fixture(scope="module")
def proof():
    """What the tests of this module have shown; written into the table when all are done."""
    yield from proved("Live, extension", "Extensions SDK 1.0.0", real=False)


def debug(options: dict, together: bool = False) -> dict:
    return {"title": "Debug", "route": "render/debug", "fields": {}, "options": options, "together": together}


QUICK = {"steps": 2, "step_s": 0.01}


def test_a_selection_comes_back_on_a_take_lane_at_its_beat(live, sounds, proof):
    begun = time.monotonic()
    seen = live(gesture=debug(QUICK), scale=[9, "Minor"])
    assert seen["modals"] == []
    source, other = seen["tracks"]
    (lane,) = source["takeLanes"]
    (clip,) = lane["clips"]
    assert (clip["startTime"], clip["warping"], other["takeLanes"], source["clips"]) == (FIRST, False, [], [])
    from_, to = (round(beat * 60 / TEMPO * RATE) for beat in (FIRST, LAST))
    heard, _ = soundfile.read(sounds["Vöx"], dtype="float32", start=from_, stop=to)
    assert np.array_equal(read_clip(clip["file"]).samples, heard.T)
    assert clip["name"] == lane["name"] != Path(clip["file"]).name
    assert clip["color"] > 0
    assert seen["steps"] == 3, "the lane; the clip; names and colour"
    assert (seen["left"], len(seen["imported"])) == ([], 1), "nothing is left in Live's folder for temporary files"
    assert ["Rendering Vöx", 0] in seen["dialog"]
    proof.update(clip_out=True, audio="equal to what Live rendered", seconds=time.monotonic() - begun,
                 placed_off_samples=round(abs(clip["startTime"] - FIRST) * 60 / TEMPO * RATE))


def test_the_record_knows_track_tempo_key_and_beat(live, house):
    seen = live(gesture=debug(QUICK), scale=[9, "Minor"], chosen=[1])
    (name,) = [Path(file).name for file in seen["imported"]]
    placed = json.loads((house.root / "results" / name).with_suffix(".json").read_text())
    assert (placed["track"], placed["tempo_bpm"], placed["key"], placed["start_beats"], placed["lane"]) == \
        ("Bass", TEMPO, "A minor", FIRST, "take_lane")
    assert placed["start_samples"] == round(FIRST * 60 / TEMPO * RATE)


def test_each_selected_track_has_a_job_of_its_own(live):
    seen = live(gesture=debug(QUICK), chosen=[0, 1])
    assert [len(track["takeLanes"]) for track in seen["tracks"]] == [1, 1]
    assert [read_clip(track["takeLanes"][0]["clips"][0]["file"]).channels for track in seen["tracks"]] == [2, 1]


def test_a_job_is_cancelled_in_its_dialog(live, proof):
    seen = live(gesture=debug({"steps": 400, "step_s": 0.05}), cancelAt="/400")
    assert [track["takeLanes"] for track in seen["tracks"]] == [[], []], seen["dialog"]
    assert seen["modals"] == []
    proof["cancel"] = True


@pytest.mark.parametrize(("options", "chosen", "together", "told"), [
    ({"stepz": 3}, [0], False, "did you mean 'steps'"), ({"misbehave": "fail"}, [0], False, ""),
    (QUICK, [0], True, "Select two audio tracks"), (QUICK, [], False, "Select a stretch of time")])
def test_errors_are_shown_in_a_dialog(live, proof, options, chosen, together, told):
    seen = live(chosen=chosen, gesture=debug(options, together))
    assert len(seen["modals"]) == 1
    assert told in seen["modals"][0]
    assert [track["takeLanes"] for track in seen["tracks"]] == [[], []]
    proof["error_shown"] = True


def test_without_a_bridge_it_says_what_to_start(live, tmp_path):
    seen = live("Split into stems", home=tmp_path / "nobody")
    assert "athanor up" in seen["modals"][0]
    (tmp_path / "stale" / "bridge").mkdir(parents=True)
    (tmp_path / "stale" / "bridge" / "connection.json").write_text('{"http_port": 9, "token": "x"}')
    assert "The bridge does not answer" in live("Split into stems", home=tmp_path / "stale")["modals"][0]


def test_the_menu_names_presets_and_routes_that_exist(live, tmp_path):
    text = (SOURCE / "src" / "extension.ts").read_text()
    for name in re.findall(r'preset\("[^"]+", "(\w+)"\)', text):
        assert presets.load(name).name == name
    asked = re.findall(r'(?:ask\(|route: )"([a-z/]+)"', "".join(path.read_text() for path in SOURCE.glob("src/*.ts")))
    assert {f"{PREFIX}/{name}" for name in asked} <= set(ROUTES)
    assert {"job/placed", "job/ack", "job/cancel", "clip/add", "clip/clear", "preset", "render/fuse"} == set(asked)
    menu = [title for title, _ in live("Fuse two tracks", home=tmp_path / "nobody", chosen=[0, 1])["menu"]]
    assert menu[:2] == ["Athanor: Fuse two tracks", "Athanor: Split into stems"]


def test_the_sources_are_free_to_copy_and_the_lock_names_no_registry():
    for path in (*SOURCE.glob("src/*.ts"), *SOURCE.glob("types/*.ts")):
        assert path.read_text().startswith("// SPDX-License-Identifier: MIT")
    lock = (SOURCE / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert json.loads((SOURCE / "package.json").read_text())["devDependencies"].keys() == {"@types/node", "typescript"}
