# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as a person and as a program meets it: what needs no server."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.cli import FAILED, OK, USAGE, main
from server.kinds import KINDS


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ATHANOR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ATHANOR_ROOT", str(tmp_path / "root"))


def test_starting_it_imports_nothing_heavy():
    heavy = "torch pedalboard rich soundfile numpy zmq matplotlib scipy".split()
    program = f"import sys; from bridge.cli import parser; parser(); print([m for m in {heavy} if m in sys.modules])"
    asked = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert asked.stdout.strip() == "[]", asked.stderr


@pytest.mark.parametrize("command", [*KINDS, "chain", "jobs", "status", "cancel", "models", "palette", "presets", "up",
                                     "serve", "bridge", "stop", "demo", "doctor", "export", "again", "history", "folders"])
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert command in capsys.readouterr().out


@pytest.mark.parametrize("name", KINDS)
def test_every_option_of_a_kind_is_an_option_of_its_command(name, capsys):
    with pytest.raises(SystemExit):
        main([name, "--help"])
    shown = capsys.readouterr().out
    for option in KINDS[name].options.model_fields:
        assert f"--{option.replace('_', '-')}" in shown or option.upper() in shown


@pytest.mark.parametrize(("words", "code", "message"), [
    (["fues"], USAGE, "there is no 'fues'; did you mean 'fuse'?"),
    ([], USAGE, "COMMAND"),
    (["fuse", "a.wav", "b.wav", "--promt", "x"], USAGE, "has no option --promt; did you mean '--prompt'?"),
    (["fuse", "a.wav", "b.wav", "c.wav"], USAGE, "'c.wav' is one argument too many"),
    (["fuse", "a.wav", "b.wav", "--solver", "odd"], USAGE, "solver='odd'"),
    (["fuse", "a.wav", "b.wav", "--steps", "many"], USAGE, "steps='many'"),
    (["fuse", "a.wav", "b.wav", "--preset", "fuse_papr"], USAGE, "did you mean 'fuse_paper'"),
    (["fuse", "a.wav", "b.wav"], FAILED, "a.wav does not exist"),
    (["generate", "x" * 10_000], USAGE, "(10000 characters)"),
    (["learn", "a.wav", "--prompt", "x", "--name", "../x"], USAGE, "palette name"),
    (["chain", "a.wav", "--chain", "spase"], USAGE, "did you mean 'space'"),
    (["chain", "a.wav"], USAGE, "--chain"),
    (["presets", "export"], USAGE, "needs the name"),
    (["presets", "exprot"], USAGE, "did you mean 'export'"),
    (["presets", "export", "spase"], USAGE, "did you mean 'space'"),
    (["palette", "remove"], USAGE, "needs the name"),
    (["bridge", "--port", "70000"], USAGE, "port 70000 does not exist"),
])
def test_a_mistake_is_one_sentence_and_the_right_code(words, code, message, capsys):
    assert main(words) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("athanor: ")
    assert shown.err.count("\n") == 1
    assert message in shown.err


def test_several_levels_may_begin_with_a_minus(root, capsys):
    words = ["fuse", str(root / "original.wav"), str(root / "gone.wav"), "--snr-db", "-12,-6.5"]
    assert main(words) == FAILED
    assert "gone.wav does not exist" in capsys.readouterr().err


def test_a_mistake_is_also_one_json_line(capsys):
    assert main(["fuse", "a.wav", "b.wav", "--json"]) == FAILED
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told["event"], told["code"]) == ("error", "invalid_input")


def test_a_chain_keeps_rate_channels_length_and_place(root, tmp_path, capsys):
    assert main(["chain", str(root / "original.wav"), "--chain", "space", "-o", str(tmp_path / "out")]) == OK
    path = Path(capsys.readouterr().out.strip())
    before, after = (soundfile.read(p, always_2d=True) for p in (root / "original.wav", path))
    assert after[1] == before[1]
    assert after[0].shape == before[0].shape
    assert not np.allclose(after[0], before[0])
    assert json.loads(path.with_suffix(".json").read_text())["role"] == "processed"


def test_one_broken_clip_does_not_stop_a_chain(root, tmp_path, capsys):
    words = ["chain", str(root / "gone.wav"), str(root / "original.wav"), "--chain", "space", "-o", str(tmp_path), "--json"]
    assert main(words) == FAILED
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [e["event"] for e in events if e["event"] != "progress"] == ["failed", "result", "done"]
    assert events[-1] == {"event": "done", "results": 1, "failed": 1}


def test_presets_are_listed_added_and_exported(tmp_path, capsys):
    assert main(["presets", "--json"]) == OK
    names = [json.loads(line)["name"] for line in capsys.readouterr().out.splitlines()]
    assert "space" in names
    assert main(["presets", "export", "space", str(tmp_path / "mine.toml")]) == OK
    assert main(["presets", "add", str(tmp_path / "mine.toml")]) == OK
    capsys.readouterr()
    assert main(["presets"]) == OK
    assert "mine" in capsys.readouterr().out


def test_a_read_only_place_is_a_clear_error(root, tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    assert main(["chain", str(root / "original.wav"), "--chain", "space", "-o", str(tmp_path / "file")]) == FAILED
    assert "cannot be made" in capsys.readouterr().err
