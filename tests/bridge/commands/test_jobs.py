# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that need a server: as separate processes, as people and scripts run them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bridge.cli import FAILED, INTERRUPTED, OK
from server.audio import read_bext, read_clip

LIMIT_S = 60


@pytest.fixture
def athanor(server, tmp_path, repository):
    """Runs a command on the shared server."""

    def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bridge", *map(str, words)], capture_output=True, text=True, timeout=LIMIT_S,
            cwd=repository, env=os.environ | {"ATHANOR_HOME": str(server.home), "OMP_NUM_THREADS": "1"} | environment)

    return run


def events(ended: subprocess.CompletedProcess[str]) -> list[dict]:
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_a_render_prints_the_file_and_its_progress(athanor, root, tmp_path):
    ended = athanor("debug", root / "original.wav", "--steps", "4", "--start", "480000", "-o", tmp_path / "out")
    assert ended.returncode == OK, ended.stderr
    path = Path(ended.stdout.strip())
    assert np.array_equal(read_clip(path).samples, read_clip(root / "original.wav").samples)
    assert read_bext(path).time_reference_samples == 480000
    assert path.with_suffix(".json").exists()
    assert "sampling" in ended.stderr
    assert "\x1b" not in ended.stderr


def test_json_is_one_object_a_line_from_accepted_to_done(athanor, root, tmp_path):
    ended = athanor("debug", root / "original.wav", "--steps", "4", "--chain", "space", "-o", tmp_path / "out", "--json")
    assert ended.returncode == OK, ended.stderr
    told = events(ended)
    assert (told[0]["event"], told[-1]["event"]) == ("accepted", "done")
    (result,) = [event for event in told if event["event"] == "result"]
    assert result["placement"]["provenance"]["post"]["title"] == "Space"
    assert {event["phase"] for event in told if event["event"] == "progress"} >= {"sampling", "plugins"}


def test_a_failed_job_is_exit_code_1_with_its_cause(athanor, tmp_path):
    ended = athanor("debug", "--misbehave", "fail", "-o", tmp_path)
    assert ended.returncode == FAILED
    assert "failing as asked" in ended.stderr
    assert "Traceback" not in ended.stderr
    told = events(athanor("debug", "--misbehave", "fail", "-o", tmp_path, "--json"))
    assert told[-1]["event"] == "failed"


@pytest.mark.skipif(sys.platform == "win32", reason="a Ctrl-C cannot be sent to one process there")
def test_ctrl_c_cancels_the_job(server, athanor, tmp_path, repository):
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", "debug", "--steps", "10000", "--json", "-o", str(tmp_path)], cwd=repository,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"ATHANOR_HOME": str(server.home)})
    with process:
        for line in process.stdout:
            event = json.loads(line)
            if event.get("phase") == "sampling":
                process.send_signal(signal.SIGINT)
                break
        rest = process.stdout.read()
        assert process.wait(LIMIT_S) == INTERRUPTED
    assert json.loads(rest.splitlines()[-1])["event"] == "cancelled"
    (job,) = events(athanor("status", event["job"], "--json"))
    assert job["state"] == "cancelled"


def test_jobs_are_listed_shown_and_cancelled(athanor, tmp_path):
    assert athanor("debug", "-o", tmp_path).returncode == OK
    job = events(athanor("jobs", "--json", "--limit", "1"))[0]
    assert (job["kind"], job["state"]) == ("debug", "succeeded")
    assert job["job_id"][:12] in athanor("jobs").stdout
    assert f"job_id: {job['job_id']}" in athanor("status", job["job_id"][:20]).stdout
    assert "already finished" in athanor("cancel", job["job_id"]).stdout
    ended = athanor("status", "f" * 32)
    assert (ended.returncode, ended.stdout) == (FAILED, "")


def test_the_palette_is_listed(athanor):
    assert athanor("palette").stdout.startswith("NAME")
    ended = athanor("palette", "remove", "nothing")
    assert ended.returncode == FAILED
    assert "nothing" in ended.stderr


def test_a_command_that_finds_no_server_starts_one_and_stop_ends_it(athanor, tmp_path):
    home = {"ATHANOR_HOME": str(tmp_path / "home")}
    first = athanor("jobs", **home)
    try:
        assert first.returncode == OK, first.stderr
        assert "starting one" in first.stderr
        assert athanor("jobs", **home).stderr == ""
    finally:
        stopped = athanor("stop", **home)
    assert stopped.returncode == OK
    assert "stopped." in stopped.stderr
    assert "no server is running" in athanor("stop", **home).stderr


def test_a_data_folder_that_can_not_be_made_is_a_clear_error(athanor, tmp_path):
    (tmp_path / "file").write_text("no folder")
    ended = athanor("jobs", "--home", tmp_path / "file")
    assert ended.returncode == FAILED
    assert str(tmp_path / "file") in ended.stderr
    assert "Traceback" not in ended.stderr


def test_doctor_looks_at_everything(athanor, tmp_path):
    ended = athanor("doctor", "--json", ATHANOR_ROOT=str(tmp_path / "root"))
    found = {event["what"]: event for event in events(ended)}
    wanted = {"Python", "packages", "data folder", "import root", "server", "OSC port", "VST3 plugins", "presets"}
    assert wanted <= set(found)
    assert found["server"]["state"] == "ok"
    assert ended.returncode == (FAILED if any(f["state"] == "bad" for f in found.values()) else OK)
