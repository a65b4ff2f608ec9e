# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge as a process: from a message to a placed result, killed at every stage and going on, one per folder."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import numpy as np
import pytest
import soundfile

from bridge.connection import load
from bridge.journal import Journal, Stage
from bridge.placement import Placement
from bridge.routes import PREFIX
from server.audio import read_bext, read_clip
from server.client import AsyncClient

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the tests read and kill it by POSIX signals")
LIMIT_S = 60


@pytest.fixture
def journal_of(server):
    """Opens the journal that the bridges of this server write; what earlier tests left in it is done with first."""

    def read(action):
        journal = Journal(server.home / "bridge" / "journal.db")
        try:
            return action(journal)
        finally:
            journal.close()

    if (server.home / "bridge" / "journal.db").exists():
        read(lambda journal: [journal.acknowledge(entry.job_id) for entry in journal.unacknowledged()])
    return read


async def test_a_message_becomes_a_sound_at_the_right_sample(start, client_of, root):
    bridge = start()
    client = client_of(bridge.port)
    await client.ask("hello", "pd", 0, "test", 1)
    answer = await client.ask("render/debug", "whole-way", "original.wav", "@steps", 20.0, "@step_s", 0.05,
                              "@chain", "space", "@start", "480000")
    job_id = answer.values[2]
    done = (await client.wait("done", "whole-way")).values
    assert done[1:5] == (job_id, 1, 1, "echo")
    assert done[7:12] == (480000, 10.0, "480000", 48000, "requested")
    assert done[12:15] == (24000, 48000, 2)
    clip = read_clip(root / done[5])
    assert (clip.n_samples, clip.sample_rate, clip.channels) == done[12:15]
    record = Placement.model_validate_json((root / done[6]).read_text())
    assert record.time_reference_samples == read_bext(root / done[5]).time_reference_samples == 480000
    progress = [m.values for m in client.received if m.address == f"{PREFIX}/progress"]
    assert {"sampling", "plugins"} & {values[2] for values in progress}
    assert all(values[:2] == ("whole-way", job_id) for values in progress)
    assert (await client.ask("job/ack", "a1", "whole-way")).values[2] == job_id
    assert bridge.stop() == ""


async def test_cancel_stops_the_job_and_the_next_one_runs(start, client_of):
    client = client_of(start().port)
    await client.ask("render/debug", "long", "@steps", 100000)
    while (await client.wait("progress", "long")).values[2] != "sampling":
        client.received.clear()
    assert (await client.ask("job/cancel", "c", "long")).address == f"{PREFIX}/ok"
    await client.wait("cancelled", "long")
    await client.ask("render/debug", "next")
    await client.wait("done", "next")


async def test_many_requests_at_once_each_get_their_own_result(start, client_of, root):
    client = client_of(start().port)
    for number in range(12):
        client.send("render/debug", f"many{number}", "@seed", number, "@steps", 1, "@step_s", 0.001)
    files = {(await client.wait("done", f"many{number}")).values[5] for number in range(12)}
    assert len(files) == 12
    sounds = [read_clip(root / file).samples for file in files]
    assert len({sound.tobytes() for sound in sounds}) == 12


async def test_a_burst_of_20_jobs_of_one_client_does_not_hold_up_another(start, client_of):
    bridge = start()
    busy, other = client_of(bridge.port), client_of(bridge.port)
    for number in range(20):
        busy.send("render/debug", f"burst{number}", "@seed", number, "@steps", 5, "@step_s", 0.02)
    await busy.wait("done")
    await other.ask("render/debug", "single", "@steps", 1)
    await other.wait("done", "single")
    before = {message.values[0] for message in busy.received if message.address == f"{PREFIX}/done"}
    assert len(before) < 10
    for number in range(20):
        await busy.wait("done", f"burst{number}")
        busy.send("job/ack", f"ack{number}", f"burst{number}")


STAGES = [("after", "pre"), *((moment, stage) for stage in ("submitted", "rendered", "post", "placed")
                              for moment in ("before", "after"))]


@pytest.mark.parametrize(("moment", "stage"), STAGES)
async def test_killed_at_any_stage_it_goes_on_without_rendering_twice(
        start, client_of, journal_of, server, root, moment, stage):
    request = f"killed-{moment}-{stage}"
    dying = start(dies=(moment, stage))
    client = client_of(dying.port)
    words = ("render/debug", request, "original.wav", "@seed", 5, "@steps", 3, "@pre", "clean", "@chain", "space",
             "@client", "killed")
    await client.ask("hello", "killed", client.port)
    client.send(*words)
    assert dying.ended() == -signal.SIGKILL
    assert not [m for m in client.received if m.address == f"{PREFIX}/done"], "done was said before the last stage was over"
    entry = journal_of(lambda journal: journal.find("killed", request))

    again = start(port=dying.port)
    done = (await client.wait("done", request)).values
    assert done[1] == entry.job_id
    assert (root / done[5]).is_file() and (root / done[6]).is_file()
    answer = await client.ask(*words)
    assert answer.values[2] == entry.job_id
    story = journal_of(lambda journal: journal.story(entry.job_id))
    assert story == ["pre", "submitted", "rendered", "post", "placed"]
    async with await AsyncClient.connect(server.home) as asked:
        job = await asked.status(entry.job_id)
        assert job.attempt == 1
        assert [job.job_id for job in await asked.jobs(limit=200)].count(entry.job_id) == 1
    assert len([path for path in (root / "results").iterdir() if entry.job_id[:8] in path.name]) == 2
    await client.ask("job/ack", "a", request, "@client", "killed")
    again.stop()


async def test_a_cancel_outlives_the_bridge(start, client_of, journal_of):
    bridge = start()
    client = client_of(bridge.port)
    await client.ask("hello", "killed", client.port)
    await client.ask("render/debug", "doomed", "@steps", 100000)
    while (await client.wait("progress", "doomed")).values[2] != "sampling":
        client.received.clear()
    bridge.process.kill()
    bridge.ended()
    journal_of(lambda journal: journal.request_cancel(journal.find("killed", "doomed").job_id))
    start(port=bridge.port)
    await client.wait("cancelled", "doomed")
    assert journal_of(lambda journal: journal.find("killed", "doomed").stage) is Stage.CANCELLED


def test_one_bridge_for_each_data_folder_and_port(start, server, repository, root, tmp_path):
    bridge = start()
    words = [sys.executable, "-m", "bridge", "bridge", "--root", str(root), "--port"]
    same_folder = subprocess.run([*words, "0"], capture_output=True, text=True, cwd=repository, timeout=LIMIT_S,
                                 env=os.environ | {"ATHANOR_HOME": str(server.home)})
    assert same_folder.returncode == 1
    assert "another bridge already uses this data folder" in same_folder.stderr
    same_port = subprocess.run([*words, str(bridge.port)], capture_output=True, text=True, cwd=repository, timeout=LIMIT_S,
                               env=os.environ | {"ATHANOR_HOME": str(tmp_path / "other")})
    assert same_port.returncode == 1
    assert f"UDP port {bridge.port}" in same_port.stderr
    assert "Traceback" not in same_folder.stderr + same_port.stderr


def test_it_ends_with_its_parent_when_asked_to(server, repository, root):
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", "bridge", "--port", "0", "--root", str(root), "--until-stdin-ends"],
        cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"ATHANOR_HOME": str(server.home)})
    with process:
        assert process.stdout.readline().startswith("OSC on 127.0.0.1:")
        process.stdin.close()
        assert process.wait(LIMIT_S) == 0


def test_it_listens_on_this_machine_only(start, server):
    bridge = start()
    others = [address[4][0] for address in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
              if not address[4][0].startswith("127.")]
    for host in others:
        for kind, port in ((socket.SOCK_DGRAM, bridge.port), (socket.SOCK_STREAM, bridge.port),
                           (socket.SOCK_STREAM, load(server.home).http_port)):
            with socket.socket(socket.AF_INET, kind) as sock:
                sock.bind((host, port))  # free there, because the bridge has it on the loopback address alone


async def test_after_a_kill_the_same_token_and_port_lead_to_the_results(start, server, root):
    first = start()
    before = load(server.home)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{before.http_port}",
                                     headers={"Authorization": f"Bearer {before.token}"}) as web:
        await web.post(f"{PREFIX}/hello", json={"client": "page"})
        options = {"client": "page", "steps": 200, "step_s": 0.01}
        body = {"request": "kept", "clip": "original.wav", "options": options}
        answer = await web.post(f"{PREFIX}/render/debug", json=body)
        job_id = (await answer.json())["job"]
        first.process.kill()
        first.ended()
        start(port=first.port)
        assert load(server.home) == before
        async with asyncio.timeout(LIMIT_S), web.get(f"{PREFIX}/events", params={"client": "page"}) as stream:
            async for line in stream.content:
                if line.startswith(b"data: ") and (told := json.loads(line[6:]))["event"] == "done":
                    break
        assert (told["request"], told["job"]) == ("kept", job_id)
        async with web.get(f"{PREFIX}/files/{told['file']}") as answer:
            assert await answer.read() == (root / told["file"]).read_bytes()
        await web.post(f"{PREFIX}/job/ack", json={"request": "a", "job": job_id})


async def test_a_result_is_what_was_sent(start, client_of, root):
    client = client_of(start().port)
    await client.ask("render/debug", "same", "original.wav", "@step_s", 0.001)
    done = (await client.wait("done", "same")).values
    assert np.array_equal(read_clip(root / done[5]).samples, read_clip(root / "original.wav").samples)
    assert done[11] == "zero"


CLIPS = {
    "24 bit.wav": (48000, 2, {"subtype": "PCM_24"}),
    "192 kHz.wav": (192000, 2, {"subtype": "FLOAT"}),
    "mono.flac": (44100, 1, {}),
    "phone.aiff": (8000, 1, {}),
    "mp3 named.wav": (44100, 2, {"format": "MP3"}),
    "one sample.wav": (48000, 1, {}),
}


async def test_any_sound_file_comes_back_at_its_own_rate_channels_and_length(start, client_of, root, write_tone):
    client = client_of(start().port)
    for name, (rate, channels, more) in CLIPS.items():
        write_tone(root / name, sample_rate=rate, channels=channels, seconds=1 / rate if "one" in name else 0.3, **more)
        client.send("render/debug", name, name, "@steps", 0)
    for name, (rate, channels, _) in CLIPS.items():
        done = (await client.wait("done", name)).values
        assert done[12:15] == (read_clip(root / name).n_samples, rate, channels), name


async def test_a_broken_clip_fails_with_its_cause_and_the_bridge_goes_on(start, client_of, root):
    client = client_of(start().port)
    samples = np.zeros((4800, 1), np.float32)
    samples[2400] = np.inf
    soundfile.write(root / "nan.wav", samples, 48000, subtype="FLOAT")
    await client.ask("render/debug", "nan", "nan.wav")
    failed = (await client.wait("failed", "nan")).values
    assert failed[2:4] == ("invalid_input", 0)
    assert failed[4].startswith("nan.wav holds NaN or infinite samples")
    await client.ask("render/debug", "good", "original.wav")
    await client.wait("done", "good")


@pytest.mark.skipif(sys.platform != "linux", reason="limits another process by prlimit")
async def test_a_full_disk_fails_the_request_and_the_next_one_works_when_there_is_room(start, client_of):
    import resource

    bridge = start()
    client = client_of(bridge.port)
    await client.ask("ping", "p")
    resource.prlimit(bridge.process.pid, resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
    await client.ask("render/debug", "full", "@seconds", 10, "@steps", 0)
    failed = (await client.wait("failed", "full")).values
    assert failed[2] == "storage_full"
    assert "written" in failed[4]
    resource.prlimit(bridge.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await client.ask("render/debug", "room", "@seconds", 10, "@steps", 0)
    await client.wait("done", "room")


async def test_a_server_killed_in_the_middle_of_a_job_costs_time_but_not_the_result(
        start_server, start, root, client_of, tmp_path):
    first = start_server(tmp_path / "home")
    bridge = start(server=first)
    client = client_of(bridge.port)
    await client.ask("render/debug", "survivor", "original.wav", "@steps", 40, "@step_s", 0.02)
    while (await client.wait("progress", "survivor")).values[2] != "sampling":
        client.received.clear()
    first.process.kill()
    first.process.wait()
    start_server(tmp_path / "home")
    done = (await client.wait("done", "survivor")).values
    assert np.array_equal(read_clip(root / done[5]).samples, read_clip(root / "original.wav").samples)
    bridge.stop()


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory) -> str:
    """A folder with the real classes of AudioLDM at toy size."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    subprocess.run([sys.executable, "-m", "server.models.tiny", "audioldm", str(folder)], check=True,
                   cwd=Path(__file__).resolve().parents[2], timeout=LIMIT_S, capture_output=True)
    return str(folder)


async def test_two_sounds_become_a_sweep_of_fusions_with_the_real_classes_of_a_model(start, client_of, root, tiny_model):
    client = client_of(start().port)
    await client.ask("render/fuse", "sweep", "original.wav", "reference.wav", "@prompt", "glass", "bells", "@sweep", 2.0,
                     "@steps", 4, "@seed", 7, "@backbone", tiny_model, "@chain", "space", "@start_s", 2.5)
    done = [(await client.wait("done", "sweep", count=number)).values for number in (1, 2)]
    assert [values[2:5] for values in done] == [(1, 2, "fused"), (2, 2, "fused")]
    for values in done:
        record = Placement.model_validate_json((root / values[6]).read_text())
        assert (record.start_samples, record.length_samples) == (120000, 24000)
        assert (record.sample_rate, record.channels) == (48000, 2)
        assert record.provenance["options"]["prompt"] == "glass bells"
        assert record.provenance["seed"] == 7
        assert [source.role for source in record.sources] == ["original", "reference"]
    low, high = (Placement.model_validate_json((root / values[6]).read_text()).provenance["snr_db"] for values in done)
    assert low < high


async def test_a_mixture_is_taken_apart_and_each_stem_says_which_it_is(start, client_of, root, tiny_model):
    client = client_of(start().port)
    await client.ask("render/separate", "apart", "original.wav", "@stem", "cello", "dog barking", "@residual", 1,
                     "@steps", 3, "@backbone", tiny_model)
    done = [(await client.wait("done", "apart", count=number)).values for number in (1, 2, 3)]
    assert [values[2:5] for values in done] == [(1, 3, "stem"), (2, 3, "stem"), (3, 3, "residual")]
    records = [Placement.model_validate_json((root / values[6]).read_text()) for values in done]
    assert [record.provenance.get("stem") for record in records] == ["cello", "dog barking", None]
    whole = sum(read_clip(root / values[5]).samples.astype(np.float64) for values in done)
    assert np.abs(whole - read_clip(root / "original.wav").samples).max() < 1e-6


async def test_directions_come_back_as_a_file_and_are_used_again_by_name(start, client_of, root, tiny_model):
    client = client_of(start().port)
    common = ("original.wav", "@directions", 1, "@steps", 6, "@sign", "plus", "@backbone", tiny_model)
    await client.ask("render/vary", "first", *common)
    values = (await client.wait("done", "first")).values
    file = Placement.model_validate_json((root / values[6]).read_text()).provenance["files"]["directions"]
    assert (root / "results" / file).stat().st_size > 0
    refused = await client.ask("render/vary", "gone", *common, "@from_directions", "results/other.safetensors")
    assert (refused.address, refused.values[2]) == (f"{PREFIX}/error", "invalid_input")
    await client.ask("render/vary", "again", *common, "@from_directions", f"results/{file}")
    again = (await client.wait("done", "again")).values
    assert np.array_equal(read_clip(root / again[5]).samples, read_clip(root / values[5]).samples)
