# SPDX-License-Identifier: GPL-3.0-or-later
"""Pure Data, headless, with the patches that ship: arrays and files go and come back, faults included."""

import json
import re
import subprocess
import time
from dataclasses import dataclass

import numpy as np
import pytest
import soundfile

from bridge.routes import PREFIX, ROUTES
from server.audio import read_bext
from tests.hosts.display import until
from tests.hosts.pd_program import BROKEN, PATCHES, Pd, words
from tests.hosts.table import proved

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(180)]
LIMIT_S = 60
LONG = ("@steps", 5000, "@step_s", 0.02)


def run_pd(pd, *more):
    """What a Pd that quits by itself has said. Its exit status is 0 even for a broken patch, so that is looked for."""
    ended = subprocess.run([str(pd), *words(*more)], capture_output=True, text=True, timeout=LIMIT_S)
    assert not BROKEN.search(ended.stderr), ended.stderr
    return ended.stderr


@pytest.fixture
def bench(require_host, house, tmp_path):
    """Pd with [athanor test-source test-result test], connected."""
    pd = Pd(require_host("pd"), tmp_path)
    connected(pd, house)
    yield pd
    pd.quit()


@pytest.fixture(scope="module")
def proof(require_host):
    """What the tests of this module have shown; written into the table when all are done."""
    said = subprocess.run([str(require_host("pd")), "-version"], capture_output=True, text=True).stderr
    yield from proved("Pure Data", re.search(r"Pd-(\d+\.\d+)", said)[1], real=True)


def connected(pd, house):
    pd.say("athanor", "connect", "127.0.0.1", house.port)
    pd.wait("^state: ready")


@dataclass(frozen=True)
class Done:
    """What the first outlet says of a result."""

    request: str
    job: str
    index: int
    count: int
    role: str
    file: str
    record: str

    @classmethod
    def of(cls, match):
        request, job, index, count, role, file, record = match[1].split()[:7]
        return cls(request, job, int(index), int(count), role, file, record)


def done(pd, **more):
    return Done.of(pd.wait("^done: (.*)", **more))


def read(path):
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == 48000
    return samples


def array(pd, house, name, file):
    """An array's samples."""
    before = pd.now
    pd.say("soundfiler", "write", "-wave", "-bytes", 4, "-rate", 48000, house.root / file, name)
    pd.wait("^soundfiler: ", since=before)
    return read(house.root / file)[:, 0]


def test_the_abstractions_open_without_an_error(require_host):
    run_pd(require_host("pd"), "-path", PATCHES, "-open", PATCHES / "athanor.pd", "-send", "pd quit")
    for path in PATCHES.glob("*.pd"):
        assert "SPDX-License-Identifier: MIT" in path.read_text(encoding="utf-8"), path.name


def test_the_gate_sees_a_broken_patch(require_host, tmp_path):
    (tmp_path / "broken.pd").write_text("#N canvas 0 0 100 100 12;\n#X obj 10 10 no-such-thing;\n")
    with pytest.raises(AssertionError, match="no-such-thing"):
        run_pd(require_host("pd"), "-open", tmp_path / "broken.pd", "-send", "pd quit")


def test_the_patch_knows_every_answer_that_starts_no_job():
    text = (PATCHES / "athanor.pd").read_text(encoding="utf-8").replace("\n", " ")
    known = re.search(r"route (/athanor/v1/[^;]*);", text)[1].split()
    assert set(known) == {address for address, route in ROUTES.items()
                          if route.handler not in ("render", "preset", "again", "put_back")}


def test_an_array_goes_and_a_rendered_array_comes_back(bench, house, proof):
    original = read(house.root / "original.wav")
    bench.say("soundfiler", "read", "-resize", house.root / "original.wav", "test-source")
    bench.say("athanor", "debug", "@steps", 5, "@step_s", 0.05, "@chain", "lofi", "@start", 480000)
    result = done(bench)
    assert (result.index, result.count, result.role) == (1, 1, "echo")
    bench.wait("^progress: 0\\.[0-9]")
    assert bench.wait("^state: started ([^ ]+) /athanor/v1/render/debug")[1] == result.request
    bench.wait(f"^heard: ok [^ ]+ {PREFIX}/job/placed {result.job}")

    placed, back = read(house.root / result.file), array(bench, house, "test-result", "from-array.wav")
    assert read_bext(house.root / result.file).time_reference_samples == 480000
    assert np.array_equal(back, placed[:, 0])
    assert back.shape == (24000,)
    assert not np.allclose(back, original[:, 0], atol=1e-3), "the chain did nothing"
    assert np.corrcoef(back, original[:, 0])[0, 1] > 0.5

    started = time.monotonic()
    bench.say("athanor", "debug")  # without plugins, the array comes back as it went
    done(bench, count=2)
    proof["seconds"] = time.monotonic() - started
    assert np.array_equal(array(bench, house, "test-result", "as-it-went.wav"), original[:, 0])
    proof.update(clip_out=True, audio="array, every sample equal")


def test_each_render_has_a_clip_of_its_own(bench, house):
    for _ in range(2):
        bench.say("athanor", "debug")
    clips = [json.loads((house.root / done(bench, count=count).record).read_text())["sources"] for count in (1, 2)]
    assert clips[0] != clips[1]


def test_files_go_and_come_by_name(bench, house):
    bench.say("athanor", "file", "debug", "original.wav", "@tempo", 96, "@meter", "6/8", "@key", "A", "minor",
              "@start_beats", 12, "@track", "dog barking")
    result = done(bench)
    said = json.loads((house.root / result.record).read_text())
    assert (said["tempo_bpm"], said["meter"], said["key"], said["start_samples"]) == (96, "6/8", "A minor", 360000)
    assert said["track"] == "dog barking"

    original = read(house.root / "original.wav")  # stereo: one array each
    bench.say("athanor", "read", result.file, "test-source", "test-result")
    assert np.array_equal(array(bench, house, "test-source", "left.wav"), original[:, 0])
    assert np.array_equal(array(bench, house, "test-result", "right.wav"), original[:, 1])


def test_a_selection_is_a_region_of_a_file_or_the_array(bench, house):
    original = read(house.root / "original.wav")
    bench.say("athanor", "clear")
    bench.say("athanor", "select", "original.wav", "@offset", 4800, "@length", 9600, "@start", 96000)
    bench.wait(f"^heard: ok [^ ]+ {PREFIX}/clip/add 1 9600 48000 2")
    bench.say("athanor", "file", "debug")
    result = done(bench)
    assert np.array_equal(read(house.root / result.file), original[4800:14400])
    assert read_bext(house.root / result.file).time_reference_samples == 96000

    bench.say("soundfiler", "read", "-resize", house.root / "original.wav", "test-source")
    bench.say("athanor", "clear")
    bench.say("athanor", "select-source", "@role", "clip")
    bench.say("soundfiler", "read", "-resize", house.root / result.file, "test-source")
    bench.say("athanor", "debug")  # another array meanwhile, which is not what was selected
    assert len(read(house.root / done(bench, count=2).file)) == 9600
    bench.say("athanor", "file", "debug")
    assert np.array_equal(read(house.root / done(bench, count=3).file)[:, 0], original[:, 0])
    bench.say("athanor", "clear")
    bench.wait(f"^heard: ok [^ ]+ {PREFIX}/clip/clear 0", count=3)


def test_a_preset_makes_stems_of_the_selection_and_each_is_told(bench, house):
    bench.say("athanor", "select", "original.wav", "@start", 96000, "@track", "take")
    bench.say("athanor", "preset", "separate_stems", "@stem", "cello", "dog barking", "@steps", 4)
    stems = [done(bench, count=number) for number in (1, 2, 3)]
    assert [(stem.index, stem.count, stem.role) for stem in stems] == [(1, 3, "stem"), (2, 3, "stem"), (3, 3, "residual")]
    samples = [read(house.root / stem.file) for stem in stems]
    assert np.max(np.abs(sum(samples) - read(house.root / "original.wav"))) < 1e-6
    assert np.array_equal(array(bench, house, "test-result", "first.wav"), samples[0][:, 0])
    bench.say("athanor", "read", stems[2].file, "test-result")
    assert np.array_equal(array(bench, house, "test-result", "third.wav"), samples[2][:, 0])
    bench.wait(f"^heard: ok [^ ]+ {PREFIX}/job/placed {stems[0].job}")
    bench.say("athanor", "clear")
    bench.wait(f"^heard: ok [^ ]+ {PREFIX}/clip/clear 0")


def test_cancel_stops_the_newest_render(bench, proof):
    bench.say("athanor", "file", "debug", *LONG)
    started = bench.wait("^state: started ([^ ]+) ")[1]
    bench.wait("^heard: progress .* sampling")
    bench.say("athanor", "cancel")
    job = bench.wait(f"^state: cancelled {started} (.*)")[1]
    bench.wait(f"^heard: ok [^ ]+ {PREFIX}/job/ack {job}")
    proof["cancel"] = True


def test_cancel_stops_the_render_that_it_names(bench):
    for _ in range(2):
        bench.say("athanor", "file", "debug", *LONG)
    first, second = (bench.wait("^state: started ([^ ]+) ", count=count)[1] for count in (1, 2))
    bench.say("athanor", "cancel", first)
    bench.wait(f"^state: cancelled {first} ")
    bench.say("athanor", "cancel")
    bench.wait(f"^state: cancelled {second} ")


def test_what_is_wrong_comes_out_of_the_third_outlet(bench):
    bench.say("athanor", "file", "debug", "orginal.wav")
    bench.wait(r"^state: error [^ ]+ /athanor/v1/render/debug invalid_input there\\ is\\ no.*original\.wav")
    bench.say("athanor", "debug", "@stepz", 3)
    bench.wait(r"^state: error .* invalid_params .*steps")
    bench.say("athanor", "file", "debug", "@misbehave", "fail")
    bench.wait("^state: failed ([^ ]+) [0-9a-f]{32} ")
    bench.wait(f"^heard: ok [^ ]+ {PREFIX}/job/ack ")


def test_the_help_patch_shows_it_in_a_line(require_host, house, tmp_path, proof):
    pd = Pd(require_host("pd"), tmp_path, PATCHES / "athanor-help.pd")
    pd.say("help", "connect", "127.0.0.1", house.port)
    pd.wait("^line: ready")
    pd.say("help", "file", "debug", "orginal.wav")
    pd.wait(r"^line: .*original\.wav")
    pd.say("help", "file", "debug", "@misbehave", "fail")
    pd.wait(r"^line: started")
    pd.wait(r"^line: .*fail")
    pd.quit()
    proof["error_shown"] = True


def test_it_says_that_nobody_is_there_and_finds_the_bridge_when_it_is(require_host, house, tmp_path):
    pd = Pd(require_host("pd"), tmp_path)
    pd.say("athanor", "connect", "127.0.0.1", 9)
    pd.say("athanor", "file", "debug")
    pd.wait("^state: error none none not_connected Athanor.*athanor.*up")
    pd.wait("^state: away")
    connected(pd, house)
    pd.say("athanor", "ask", "ping")
    pd.wait(f"^heard: ok [^ ]+ {PREFIX}/ping 1 ")
    pd.kill()


def test_a_result_lands_although_the_server_was_killed_in_between(bench, house):
    bench.say("athanor", "file", "debug", "original.wav", "@steps", 60, "@step_s", 0.05)
    bench.wait("^heard: progress .* sampling")
    house.kill_server()
    house.start_server()
    result = done(bench)
    assert np.array_equal(read(house.root / result.file), read(house.root / "original.wav"))


def test_a_result_lands_although_the_bridge_was_killed_in_between(bench, house):
    bench.say("athanor", "file", "debug", "original.wav", "@steps", 60, "@step_s", 0.05)
    bench.wait("^heard: progress .* sampling")
    house.kill_bridge()
    house.start_bridge()
    result = done(bench)
    assert np.array_equal(read(house.root / result.file), read(house.root / "original.wav"))
    bench.wait(f"^heard: ok [^ ]+ {PREFIX}/job/placed {result.job}")
    bench.say("athanor", "file", "debug")  # and it can be asked for more
    done(bench, count=2)


def test_a_result_waits_for_a_patch_that_was_closed(require_host, house, tmp_path):
    pd = Pd(require_host("pd"), tmp_path)
    connected(pd, house)
    pd.say("athanor", "file", "debug", "original.wav", "@steps", 40, "@step_s", 0.05, "@track", "closed")
    job = pd.wait("^state: started [^ ]+ [^ ]+ (.*)")[1]
    pd.wait("^heard: progress .* sampling")
    pd.kill()
    until(lambda: list((house.root / "results").glob(f"*{job[:8]}.wav")), "the job to end", LIMIT_S)
    pd = Pd(require_host("pd"), tmp_path)
    connected(pd, house)
    assert done(pd).job == job
    assert np.array_equal(array(pd, house, "test-result", "late.wav"), read(house.root / "original.wav")[:, 0])
    pd.wait(f"^heard: ok [^ ]+ {PREFIX}/job/placed {job}")
    pd.quit()
