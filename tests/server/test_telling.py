# SPDX-License-Identifier: GPL-3.0-or-later
"""The inside of a command's own process, run as one."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from server.telling import FAILED, OK, STOPPED

HEAD = "import os, time\nfrom server.errors import InvalidOption\nfrom server.telling import told\n"


def start(work: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", f"{HEAD}def work(tell):\n    {work}\nraise SystemExit(told(work))"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("work", "code", "events"), [
    ("tell('say', text='é')", OK, [{"event": "say", "text": "é"}]),
    ("raise InvalidOption('no such thing.')", FAILED,
     [{"event": "error", "code": "invalid_params", "message": "no such thing.", "retryable": False}]),
])
def test_every_line_is_one_event_and_the_code_says_how_it_ended(work, code, events):
    with start(work) as process:
        said = process.stdout.read()
    assert [json.loads(line) for line in said.splitlines()] == events
    assert process.returncode == code


def test_what_libraries_print_does_not_come_between():
    with start("print('hello'); os.system('echo there'); tell('done')") as process:
        said, complained = process.stdout.read(), process.stderr.read()
    assert said == '{"event": "done"}\n'
    assert complained.split() == ["hello", "there"]


def test_the_end_of_stdin_is_a_ctrl_c():
    with start("tell('ready'); time.sleep(60)") as process:
        assert "ready" in process.stdout.readline()
        process.stdin.close()
        assert process.wait(30) == STOPPED


@pytest.mark.skipif(sys.platform == "win32", reason="priorities are named otherwise there")
def test_it_lets_others_go_first():
    with start("tell('nice', value=os.nice(0))") as process:
        said = process.stdout.read()
    assert json.loads(said)["value"] >= 10
