# SPDX-License-Identifier: GPL-3.0-or-later
"""SuperCollider: the class in a real sclang, with signals, files and, where scsynth runs, buffers."""

import json
import os
import re
import subprocess
import time

import numpy as np
import pytest
import soundfile

from server.audio import read_bext
from tests.hosts.display import until
from tests.hosts.sclang_program import CLASSES, Sclang
from tests.hosts.table import proved

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(180)]
LIMIT_S = 60
FAR = 123456789012


@pytest.fixture(scope="module")
def sclang(require_host, house, tmp_path_factory):
    """sclang with `a`, an Athanor that is connected."""
    program = Sclang(require_host("sclang"), tmp_path_factory.mktemp("sclang"))
    connected(program, house)
    yield program
    program.quit()


@pytest.fixture(scope="module")
def proof(require_host):
    """What the tests of this module have shown; written into the table when all are done."""
    said = subprocess.run([str(require_host("sclang")), "-v"], capture_output=True, text=True).stdout
    yield from proved("SuperCollider", re.search(r"(\d+\.\d+)", said)[1], real=True)


def connected(program, house, late="nil"):
    program.do(f'a = Athanor("sc", port: {house.port}, onLate: {late});'
               'a.whenReady { ("ready " ++ a.root).postln };')
    assert program.wait("^ready (.*)")[1] == str(house.root)


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def test_the_classes_are_free_to_copy_and_have_help():
    for name in ("Athanor", "AthanorJob", "AthanorResult"):
        text = (CLASSES / "HelpSource" / "Classes" / f"{name}.schelp").read_text(encoding="utf-8")
        assert text.startswith(f"CLASS:: {name}\n")
    for path in CLASSES.glob("*.sc"):
        assert "SPDX-License-Identifier: MIT" in path.read_text(encoding="utf-8"), path.name


def test_the_help_parses_and_names_every_method(sclang):
    sclang.do(f"""
        [Athanor, AthanorJob, AthanorResult].do {{ |class|
            var path = "{CLASSES}/HelpSource/Classes/" ++ class.name ++ ".schelp";
            var text = File.readAllString(path);
            var methods = (class.methods ++ class.class.methods).reject {{ |m| m.name.asString.beginsWith("pr") }};
            [class.name, SCDoc.parseFileFull(path).notNil,
                methods.collect {{ |m| m.name.asString }}.reject {{ |name|
                    name == "printOn" or: {{ name.endsWith("_") }} or: {{ text.contains("METHOD:: " ++ name ++ "\\n") }}
                }}].postln;
        }};""")
    for name in ("Athanor", "AthanorJob", "AthanorResult"):
        assert sclang.wait(rf"^\[ {name}, (.*) \]")[1] == "true, [  ]"


def test_a_signal_goes_and_comes_back_sample_by_sample(sclang, house, proof):
    sclang.do(f"""
        x = Signal.sineFill(1000, [0.5]);
        o = (steps: 20, step_s: 0.05, start: {FAR}.0, tempo: 96.5, key: "A minor", track: "dog barking");
        a.render(\\debug, x, o, {{ |job|
            var result = job.results[0];
            var said = [job.state, result.role, result.count, result.length, result.startSource, result.record];
            ("done " ++ said.join("|")).postln;
            ("exact " ++ (result.startSamples == {FAR}.0)).postln;
            ("off " ++ (result.signals[0] - x).abs.maxItem).postln;
            ("placement " ++ result.placement["start_rate"]).postln;
        }}, {{ |job| ("progress " ++ job.phase ++ " " ++ job.fraction).postln }});""")
    sclang.wait(r"^progress sampling 0\.[0-9]")
    said = sclang.wait("^done (.*)")[1].split("|")
    assert said[:5] == ["done", "echo", "1", "1000", "requested"]
    sclang.wait("^exact true")
    sclang.wait("^off 0.0$")
    sclang.wait("^placement 48000")
    kept = json.loads((house.root / said[5]).read_text())
    assert (kept["start_samples"], kept["tempo_bpm"], kept["key"], kept["track"]) == (FAR, 96.5, "A minor", "dog barking")
    before = time.monotonic()
    sclang.do('a.render(\\debug, [[x, x]], nil, { "warm".postln });')
    sclang.wait("^warm")
    proof.update(clip_out=True, audio="signal, every sample equal", seconds=time.monotonic() - before)


def test_files_selections_and_presets_by_name(sclang, house):
    sclang.do("""
        a.select("original.wav", (offset: 4800, length: 9600, start: 96000));
        a.render(\\debug, nil, nil, { |job|
            ("region " ++ job.results[0].file).postln;
            a.clear;
            a.select(Signal.newClear(8));
            a.list("clip/list", nil, { |clips| ("clips " ++ clips.size).postln });
            a.clear;
        });""")
    result = house.root / sclang.wait("^region (.*)")[1]
    assert np.array_equal(read(result), read(house.root / "original.wav")[4800:14400])
    assert read_bext(result).time_reference_samples == 96000
    sclang.wait("^clips 1$")

    sclang.do("""
        a.select("original.wav");
        a.preset("separate_stems", (stem: ["cello", "dog barking"], steps: 4), { |job|
            job.results.do { |one| ("stem " ++ [one.index, one.count, one.role, one.file].join("|")).postln };
        });
        a.clear;""")
    stems = [sclang.wait("^stem (.*)", count=number)[1].split("|") for number in (1, 2, 3)]
    assert [stem[:3] for stem in stems] == [["1", "3", "stem"], ["2", "3", "stem"], ["3", "3", "residual"]]
    assert np.max(np.abs(sum(read(house.root / stem[3]) for stem in stems) - read(house.root / "original.wav"))) < 1e-6


def test_a_result_is_rendered_again_and_lists_come_whole(sclang, house):
    sclang.do("""
        a.render(\\debug, "original.wav", nil, { |first|
            a.again(first.results[0].file, nil, { |job| ("again " ++ job.results[0].file).postln });
            a.list("preset/list", nil, { |presets| ("presets " ++ presets.size ++ " " ++ presets[0][0]).postln });
            a.list("history", (find: "surely nothing"), { |none| ("nothing " ++ none.size).postln });
        });""")
    assert np.array_equal(read(house.root / sclang.wait("^again (.*)")[1]), read(house.root / "original.wav"))
    sclang.wait(r"^presets [1-9]\d* \w+")
    sclang.wait("^nothing 0")


def test_two_in_one_language_each_get_their_own(sclang, house):
    sclang.do(f"""
        z = Athanor("other", port: {house.port}, onLate: {{ "stolen".postln }});
        z.render(\\debug, nil, nil, {{
            "the other's own".postln;
            a.render(\\debug, nil, nil, {{ "mine".postln; z.free }});
        }});""")
    sclang.wait("^the other's own")
    sclang.wait("^mine")
    assert not any(re.search("stolen|earlier session", line) for line in sclang.printed.lines)


def test_cancel(sclang, proof):
    sclang.do("""
        j = a.render(\\debug, nil, (steps: 5000, step_s: 0.02),
            { "too late".postln },
            { |job| if (job.phase == "sampling") { job.cancel } },
            { |job| ("ended " ++ job.state).postln });""")
    sclang.wait("^ended cancelled")
    proof["cancel"] = True


def test_what_is_wrong_is_posted_and_told(sclang, proof):
    sclang.do('a.render(\\debug, "orginal.wav", nil, onFailed: { |job| ("why " ++ job.code).postln });')
    sclang.wait(r"^WARNING: Athanor: there is no 'orginal\.wav'.*original\.wav")
    sclang.wait("^why invalid_input")
    sclang.do('a.render(\\debug, nil, (misbehave: "fail"), onFailed: { |job| ("cause " ++ job.message).postln });')
    sclang.wait("^WARNING: Athanor: debug: failing as asked")
    sclang.wait("^cause debug: failing as asked")
    sclang.do('Athanor("nobody", port: 9);')
    sclang.wait(r"^WARNING: Athanor does not answer at 127\.0\.0\.1:9\. Start it with: athanor up")
    proof["error_shown"] = True


def test_a_result_lands_although_server_and_bridge_were_killed_in_between(sclang, house):
    sclang.do("""
        a.render(\\debug, "original.wav", (steps: 60, step_s: 0.05),
            { |job| ("survived " ++ job.results[0].file).postln }, { |job| ("now " ++ job.phase).postln });""")
    sclang.wait("^now sampling")
    house.kill_server()
    house.start_server()
    house.kill_bridge()
    house.start_bridge()
    assert np.array_equal(read(house.root / sclang.wait("^survived (.*)")[1]), read(house.root / "original.wav"))


def test_a_result_waits_for_a_language_that_was_closed(require_host, house, tmp_path):
    program = Sclang(require_host("sclang"), tmp_path)
    program.do(f'a = Athanor("closed", port: {house.port}); a.render(\\debug, "original.wav", (steps: 40, step_s: 0.05), '
               'nil, { |job| ("now " ++ job.phase ++ " " ++ job.id).postln });')
    job = program.wait("^now sampling (.*)")[1]
    program.kill()
    until(lambda: list((house.root / "results").glob(f"*{job[:8]}.wav")), "the job to end", LIMIT_S)
    program = Sclang(require_host("sclang"), tmp_path)
    program.do(f'a = Athanor("closed", port: {house.port}, onLate: '
               '{ |job| ("late " ++ [job.id, job.results[0].file].join("|")).postln });')
    said = program.wait("^late (.*)")[1].split("|")
    program.quit()
    assert said[0] == job
    assert np.array_equal(read(house.root / said[1]), read(house.root / "original.wav"))


@pytest.fixture
def jack(require_host, monkeypatch):
    """JACK without a sound card, which scsynth wants; found by what is started meanwhile."""
    name = f"athanor{os.getpid()}"
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    monkeypatch.setenv("JACK_NO_AUDIO_RESERVATION", "1")
    server = subprocess.Popen([str(require_host("jackd")), "-n", name, "-r", "-d", "dummy", "-r", "48000"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield name
    server.terminate()
    server.wait(LIMIT_S)


def test_a_buffer_goes_and_comes_back(require_host, jack, house, tmp_path):
    require_host("scsynth")
    program = Sclang(require_host("sclang"), tmp_path)
    connected(program, house)
    program.do(f"""
        s.waitForBoot {{
            b = Buffer.read(s, a.root +/+ "original.wav");
            s.sync;
            a.render(\\debug, b, nil, {{ |job| job.results[0].read(s, {{ |c|
                ("buffer " ++ [c.numFrames, c.numChannels, c.sampleRate].join(" ")).postln;
                c.write("{tmp_path}/back.wav", "wav", "float");
                fork {{ s.sync; "written".postln; s.quit }};
            }}) }});
        }};""")
    program.wait("^buffer 24000 2 48000.0")
    program.wait("^written")
    program.wait("exited with exit code 0")
    program.quit()
    assert np.array_equal(read(tmp_path / "back.wav"), read(house.root / "original.wav"))
