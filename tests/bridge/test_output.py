# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shown: JSON lines for programs, lines or a bar for people, each in its stream."""

import json

import pytest

from bridge.output import Output
from bridge.progress import Progress


def test_json_has_stdout_to_itself(capsys):
    with Output(True) as output:
        output.say("for people")
        output.result("not for programs")
        output.event("done", results=1)
        output.progress(Progress("job", "sampling", 1, 4, 2.5))
    shown = capsys.readouterr()
    assert [json.loads(line)["event"] for line in shown.out.splitlines()] == ["done", "progress"]
    assert json.loads(shown.out.splitlines()[1])["fraction"] == 0.25
    assert shown.err == "for people\n"


def test_results_go_to_stdout_and_the_rest_to_stderr(capsys):
    with Output(False) as output:
        output.event("done")
        output.progress(Progress("job", "loading"))
        output.result("a.wav")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("a.wav\n", "loading\n")


def test_without_a_terminal_progress_is_a_line_for_each_tenth(capsys):
    output = Output(False)
    for step in range(101):
        output.progress(Progress("job", "sampling", step, 100))
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["sampling 0 %", "sampling 10 %"]
    assert len(lines) == 11


def test_on_a_terminal_there_is_a_bar_and_it_goes_away(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    with Output(False) as output:
        output.progress(Progress("job", "sampling", 12, 50, 75.0))
        output._bar.refresh()
        output.say("a sentence [not markup]")
    shown = capsys.readouterr().err
    assert "12/50  1:15 left" in shown
    assert "a sentence [not markup]" in shown


@pytest.mark.parametrize(("progress", "words"), [
    (Progress("j", "queued", queue_position=3), "queued, number 3"),
    (Progress("j", "sampling", attempt=1), "sampling"),
    (Progress("j", "sampling", attempt=2), "sampling, attempt 2"),
])
def test_phases_in_words(progress, words):
    assert progress.words == words


def test_a_table_is_lined_up(capsys):
    Output(False).table(["A", "LONG"], [["xx", "y"]])
    assert capsys.readouterr().out == "A   LONG\nxx  y\n"
