# SPDX-License-Identifier: GPL-3.0-or-later
"""Audacity itself: the selection goes out, results come in as named tracks at their exact sample."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from bridge.adapters.audacity import UNDO_STEPS, selection
from bridge.adapters.audacity_pipe import AudacityPipe
from tests.hosts.audacity_program import Audacity
from tests.hosts.conftest import REPOSITORY
from tests.hosts.table import proved

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(180)]
RATE = 44100
START, END = 12347, 30011  # samples


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Two seconds of stereo noise at 44.1 kHz, in a folder with a space in its name."""
    path = tmp_path_factory.mktemp("own sounds") / "take one.wav"
    noise = np.random.default_rng(2).normal(0, 0.1, (2 * RATE, 2)).astype(np.float32)
    soundfile.write(path, noise, RATE, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def audacity(require_host, own, tmp_path_factory):
    program = Audacity(require_host, tmp_path_factory.mktemp("audacity"))
    try:
        program.prepare()
        program.start()
        program.do("Import2", Filename=str(own))
        yield program
    finally:
        program.stop()


@pytest.fixture(scope="module")
def proof(require_host):
    """What the tests of this module have shown; written into the table when all are done."""
    yield from proved("Audacity", "3.2", real=True)


def command(house, *words):
    return [sys.executable, "-m", "bridge", "audacity", "--home", str(house.home), "--json", *words]


def run(house, *words):
    """The command's exit status, its events and what it says to a person."""
    done = subprocess.run(command(house, *words), cwd=REPOSITORY, capture_output=True, text=True, timeout=90,
                          env=os.environ | {"OMP_NUM_THREADS": "1"})
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def started(house, steps):
    """The command at work, with a render of that many steps of 20 ms."""
    return subprocess.Popen(command(house, "render/debug", "--set", steps, "--set", "step_s=0.02"), cwd=REPOSITORY,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def select(audacity, start, end):
    audacity.do("SelectTracks", Track=0, TrackCount=1, Mode="Set")
    audacity.do("SelectTime", Start=start / RATE, End=end / RATE)


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)


@pytest.fixture(scope="module")
def rendered(audacity, house):
    select(audacity, START, END)
    started = time.monotonic()
    status, events, said = run(house, "render/debug", "--set", "steps=3")
    assert status == 0, said
    return events, time.monotonic() - started


def test_the_selection_goes_out_sample_for_sample(rendered, house, own, proof):
    (clip,) = (house.root / "clips").glob("take_one-*.wav")
    samples, rate = read(clip)
    source, _ = read(own)
    assert rate == RATE
    assert np.array_equal(samples, source[START:END])
    proof["clip_out"] = True


def test_the_result_lies_on_a_new_named_track_at_the_exact_sample(audacity, rendered, own, tmp_path, proof):
    events, seconds = rendered
    (placed,) = [event for event in events if event["event"] == "placed"]
    first, new = audacity.tracks()
    assert first["name"] == "take one"
    assert (new["name"], new["channels"]) == (placed["tracks"][0], 2)
    assert "take one" in new["name"]
    assert new["start"] == pytest.approx(START / RATE, rel=1e-5)

    audacity.do("SelectTracks", Track=1, TrackCount=1, Mode="Set")
    audacity.do("SelectTime", Start=0.0, End=END / RATE)
    audacity.do("SetPreference", Name="FileFormats/ExportFormat_SF1_Type/WAV_10000", Value="6")
    audacity.do("Export2", Filename=str(tmp_path / "track.wav"), NumChannels=2)
    samples, _ = read(tmp_path / "track.wav")
    source, _ = read(own)
    assert len(samples) == END
    assert np.all(samples[:START] == 0)
    assert np.array_equal(samples[START:], source[START:END])
    proof.update(placed_off_samples=0, audio="track exported, equal", seconds=seconds)


def test_undo_takes_the_result_away_and_nothing_else_moves_it(audacity, rendered):
    before = [(track["name"], track["start"]) for track in audacity.tracks()]
    audacity.do("AddLabel")
    audacity.do("Undo")
    assert [(track["name"], track["start"]) for track in audacity.tracks()] == before
    for _ in range(UNDO_STEPS):
        audacity.do("Undo")
    assert [track["name"] for track in audacity.tracks()] == ["take one"]
    for _ in range(UNDO_STEPS):
        audacity.do("Redo")
    assert [(track["name"], track["start"]) for track in audacity.tracks()] == before


def test_labels_of_the_person_s_own_are_not_taken_for_the_selection(audacity, rendered):
    select(audacity, END, END + RATE // 2)
    audacity.do("AddLabel")
    select(audacity, START, END)
    with AudacityPipe(20) as pipe:
        labels = pipe.info("Labels")
        selected = selection(pipe)
        assert pipe.info("Labels") == labels
    audacity.do("Undo")
    assert (selected.start, selected.end) == (pytest.approx(START / RATE, rel=1e-5), pytest.approx(END / RATE, rel=1e-5))
    assert selected.tracks == (0,)


def test_a_person_is_told_what_is_wrong(audacity, rendered, house, proof):
    select(audacity, START, END)
    status, events, said = run(house, "no_such_preset")
    assert status != 0
    assert "There is no preset 'no_such_preset'" in said
    status, events, said = run(house, "render/debug", "--set", "misbehave=fail")
    assert status == 1
    assert "failing as asked" in said
    audacity.do("SelectTime", Start=0.5, End=0.5)
    status, events, said = run(house, "render/debug")
    assert status == 1
    assert "nothing is selected in Audacity" in said
    proof["error_shown"] = True


def test_a_render_is_cancelled(audacity, rendered, house, proof):
    select(audacity, START, END)
    running = started(house, "steps=3000")
    with running:
        for line in running.stdout:
            if '"sampling"' in line or '"running"' in line or '"step": 1' in line:
                break
        assert run(house, "--cancel")[0] == 0
        assert running.wait(30) == 130
    status, _, said = run(house, "--cancel")
    assert status == 1
    assert "nothing is being rendered" in said
    proof["cancel"] = True


def test_results_wait_for_an_audacity_that_was_closed(audacity, rendered, house):
    select(audacity, START, END)
    waiting = started(house, "steps=100")
    with waiting:
        waiting.stdout.readline()
        audacity.kill()
        assert waiting.wait(60) == 1
        assert "Audacity does not listen" in waiting.stderr.read()
    audacity.start()
    audacity.display.close_window("Automatic Crash Recovery")
    status, events, said = run(house)
    assert status == 0, said
    assert [event["event"] for event in events] == ["placed"]
    assert [track["start"] for track in audacity.tracks()] == [pytest.approx(START / RATE, rel=1e-5)]
    assert run(house)[1] == []
