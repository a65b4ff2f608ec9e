# SPDX-License-Identifier: GPL-3.0-or-later
"""`athanor again` and `athanor history`, against a real server and a bridge's journal."""

import json
from pathlib import Path

import numpy as np
import pytest

from bridge.cli import FAILED, OK, USAGE, main
from bridge.journal import Journal
from server.audio import read_clip


@pytest.fixture
def told(server, root, monkeypatch, capsys):
    """Runs a command with `--json` in the server's data folder; its exit code and its events."""
    monkeypatch.setenv("ATHANOR_HOME", str(server.home))
    monkeypatch.setenv("ATHANOR_ROOT", str(root))

    def run(*words) -> tuple[int, list[dict]]:
        code = main([*map(str, words), "--json"])
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def of(events: list[dict], name: str) -> list[dict]:
    return [event for event in events if event["event"] == name]


def test_a_model_s_sound_comes_back_sample_for_sample(told, root):
    words = ("--seconds", 0.5, "--steps", 2, "--tempo", 90, "--chain", "space", "-o", root / "results")
    code, events = told("generate", "glass bells", *words)
    assert code == OK
    (first,) = of(events, "result")
    assert 0 <= first["placement"]["provenance"]["seed"]
    code, events = told("again", first["file"])
    assert code == OK
    assert of(events, "compared")[0]["same"]
    (second,) = of(events, "result")
    assert Path(second["file"]).parent == root / "results"
    assert np.array_equal(read_clip(second["file"]).samples, read_clip(first["file"]).samples)
    code, events = told("again", first["placement"]["job_id"][:10], "--seed", 3, "--root", root)
    assert code == OK
    assert not of(events, "compared")[0]["same"]
    assert of(events, "result")[0]["placement"]["tempo_bpm"] == 90.0


def test_what_does_not_exist_is_said(told, root):
    assert told("again", root / "original.wav")[0] == FAILED
    code, events = told("again", "0123456789abcdef")
    assert (code, events[-1]["code"]) == (FAILED, "unknown_job")
    assert told("history", "--reveal", 99)[0] == USAGE


def test_history_finds_reveals_and_puts_back(told, root, server, monkeypatch):
    _, events = told("debug", root / "original.wav", "--steps", 0, "--track", "Voxhall", "-o", root / "results")
    sound = of(events, "result")[0]["file"]
    told("debug", root / "original.wav", "--steps", 0, "--track", "Drums", "-o", root / "results")
    code, events = told("history", "--find", "voxhall", "--root", root)
    assert code == OK
    (found,) = of(events, "result")
    assert (found["number"], found["file"], found["placement"]["name"]) == (1, sound, "Voxhall: echo")
    shown = []
    monkeypatch.setattr("bridge.reveal.reveal", lambda path: shown.append(path) or True)
    assert told("history", "--find", "voxhall", "--reveal", 1, "--root", root)[0] == OK
    assert shown == [Path(sound).resolve()]
    code, events = told("history", "--find", "voxhall", "--place", 1, "--root", root, "--client", "ardour")
    assert code == OK
    assert of(events, "announced")[0]["told"] is False  # no bridge runs here: the next hello brings it
    journal = Journal(server.home / "bridge" / "journal.db")
    (waiting,) = journal.unacknowledged("ardour")
    journal.acknowledge(waiting.job_id)
    journal.close()
    assert waiting.placed[0]["file"] == str(Path(sound).resolve())


async def test_a_running_bridge_announces_at_once_what_is_put_back(told, start, client_of, root):
    bridge = start()
    host = client_of(bridge.port)
    await host.ask("hello", "back", host.port)
    await host.ask("render/debug", "back-r1", "original.wav", "@steps", 0, "@start", 99, "@track", "Backed")
    first = (await host.wait("done", "back-r1")).values
    await host.ask("job/ack", "back-a", "back-r1")
    host.received.clear()
    code, events = told("history", "--find", "backed", "--place", 1, "--root", root)
    (announced,) = of(events, "announced")
    assert (code, announced["client"], announced["told"]) == (OK, "back", True)
    again = (await host.wait("done")).values
    assert again[1] == announced["job"]
    assert again[2:] == first[2:]
    await host.ask("job/placed", "back-p", again[1], "@where", "bar 3")
    code, events = told("history", "--find", "backed", "--root", root)
    assert [event["where"] for event in of(events, "result")] == ["bar 3"]
