# SPDX-License-Identifier: GPL-3.0-or-later
"""evaluate: the command and its process, on a toy model."""

from __future__ import annotations

import json

import pytest

from bridge.cli import OK, USAGE, main, parser
from bridge.commands import evaluate
from server.measure.parts import AIMS, PAPERS, PARTS
from server.models import tiny


def test_the_command_names_the_parts_that_there_are():
    assert (evaluate.PARTS, evaluate.PAPERS) == (AIMS, PAPERS)
    options = {option for part in PARTS.values() for option in part.sizes}
    assert {option: set(parts) for option, parts in evaluate.ABOUT.items()} == {
        option: {name for name, part in PARTS.items() if option in part.sizes} for option in options}


@pytest.mark.parametrize(("words", "message"), [
    (["--parts", "speeed"], "did you mean 'speed'"),
    (["--fuse", "inject"], "NAME=VALUE"),
    (["--fuse", "injekt=state"], "did you mean 'inject'"),
    (["--held-out", "/nowhere/at/all"], "is not a folder"),
    (["--pairs", "six"], "'six' is not a whole number from 1 to 200"),
    (["--levels", "2"], "'2' is not a whole number from 3 to 20"),
    (["--clips", "-1"], "'-1' is not a whole number from 1 to 500"),
    (["--seconds", "60"], "'60' is not a number of seconds from 0.5 to 47"),
    (["--learn", "full"], "--learn full=true learn_steps=800"),
    (["--learn", "learn_step=3"], "did you mean 'learn_steps'"),
    (["--fuse", "snr_db=-6"], "an evaluation says snr_db itself"),
    (["--restore", "algorithm"], "--restore algorithm=irs steps=20"),
    (["--restore", "gap=0:1"], "an evaluation says gap itself"),
    (["--separate", "stem=a cello"], "an evaluation says stem itself"),
    (["--edit", "method=ddim"], "an evaluation says method itself"),
    (["--parts", "speed", "--levels", "4"], "--levels is about fusion_window, which --parts leaves out"),
    (["--restore", "steps=5"], "--restore is about restoration, measured only by name: add `--parts restoration`"),
    (["--parts", "speed", "--embedding", "editing"], "--embedding is about separation and editing and"),
    (["--data", "music_like"], "--data is about separation, measured only by name"),
])
def test_a_mistake_is_told_before_anything_is_loaded(words, message, capsys):
    assert main(["evaluate", "embedded", *words]) == USAGE
    assert message in capsys.readouterr().err


def test_sizes_go_to_the_process_that_measures(tmp_path):
    words = ["evaluate", "mosaic", "--pairs", "6", "--levels", "8", "--seconds", "3", "--learn", "full=true", "rank=2"]
    sent = evaluate._words(parser().parse_args(words), tmp_path)
    assert sent[-9:] == ["--pairs", "6", "--levels", "8", "--seconds", "3.0", "--learn", "full=true", "rank=2"]
    assert "--clips" not in sent and "--fuse" not in sent
    named = ["--parts", "restoration", "--embedding", "zerosep", "--fad", "vggish"]
    sent = evaluate._words(parser().parse_args(["evaluate", "mosaic", *named]), tmp_path)
    assert all(word in sent for word in named)


@pytest.mark.timeout(300)
def test_a_model_folder_is_measured_and_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ATHANOR_HOME", str(tmp_path / "home"))
    folder = tiny.build("audioldm", tmp_path / "model")
    words = ["evaluate", str(folder), "--quick", "--parts", "speed", "learn_gap", "-o", str(tmp_path / "out")]
    assert main(words) == OK
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0].split() == ["WHAT", "AIM", "FIGURE"]
    assert sum(line.startswith("speed: 5 s") for line in lines) == 2
    assert any(line.startswith("not measured: learn_gap") and "server.measure.fetch" in line for line in lines)
    assert lines[-1] == str(tmp_path / "out" / "report.md")
    assert "speed: generate, 25 steps" in shown.err
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert figures["parts"]["speed"]["figures"]["jobs"]["generate"]["seconds"] > 0
