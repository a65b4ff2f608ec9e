# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import json
import sys

import pytest

from server.telemetry import Counters, open_log


def test_counters_count_and_show_a_copy() -> None:
    counters = Counters()
    counters.add("a")
    counters.add("a", 2)
    shown = counters.snapshot()
    counters.add("a")
    assert shown == {"a": 3}


def test_the_log_is_json_with_its_context_and_without_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    log = open_log(server_pid=1)
    secret_prompt = "glass bells"
    try:
        raise ValueError("broken")
    except ValueError:
        log.exception("failed", job="j")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["server_pid"], line["job"], line["level"]) == ("failed", 1, "j", "error")
    assert "broken" in line["exception"]
    assert secret_prompt not in json.dumps(line)


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_a_full_disk_does_not_stop_who_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", FullDisk())
    open_log().info("nobody hears this")
