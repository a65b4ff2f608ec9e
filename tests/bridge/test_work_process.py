# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in a process of its own, as a command sees it."""

from __future__ import annotations

import _thread
import json
import os
from pathlib import Path

import pytest

from bridge.output import Output
from bridge.work_process import INTERRUPTED, run_work
from server.errors import InvalidOption, JobFailed


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`run(code, *words)`: the code, whose `work(tell)` is told, as a module of its own; gives code and other events."""

    def as_module(code: str, *words: str, on_event=None):
        (tmp_path / "some_work.py").write_text(
            "import sys, time\nfrom server.errors import InvalidOption\nfrom server.telling import told\n"
            f"def work(tell):\n    {code}\nraise SystemExit(told(work))\n")
        monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{Path(__file__).resolve().parents[2]}")
        events: list[dict] = []
        return run_work("some_work", words, Output(True), on_event or events.append), events

    return as_module


def test_events_come_in_order_and_progress_is_shown(run, capsys):
    code, events = run("tell('progress', phase='work', step=1, n_steps=2, eta_s=3.0); tell('found', value=sys.argv[1])",
                       "7")
    assert (code, events) == (0, [{"event": "found", "value": "7"}])
    shown = json.loads(capsys.readouterr().out)
    assert (shown["event"], shown["phase"], shown["eta_s"], shown["fraction"]) == ("progress", "work", 3.0, 0.5)


def test_an_error_is_raised_as_it_was(run):
    with pytest.raises(InvalidOption, match="no such thing"):
        run("raise InvalidOption('no such thing.')")


def test_a_crash_is_one_sentence_with_its_last_words(run):
    with pytest.raises(JobFailed, match="ZeroDivisionError: division by zero"):
        run("1 / 0")


def test_ctrl_c_lets_the_work_end_in_order(run, capsys):
    code, _ = run("try: tell('ready'); time.sleep(60)\n    except KeyboardInterrupt: tell('say', text='kept'); raise",
                  on_event=lambda event: _thread.interrupt_main())
    assert code == INTERRUPTED
    assert capsys.readouterr().err.splitlines() == ["stopping ...", "kept"]
