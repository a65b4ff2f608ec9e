# SPDX-License-Identifier: GPL-3.0-or-later
"""The two commands as a person types them, down to the process that does the work; the hub is one on the loopback."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bridge.cli import FAILED, OK, USAGE, main
from server.models import tiny
from tests.server.fake_hub import serving


@pytest.fixture
def models(tmp_path, monkeypatch, capsys):
    """`models(*words)`: exit code, stdout and stderr of `athanor models *words` with a data folder of its own."""
    monkeypatch.setitem(os.environ, "ATHANOR_HOME", str(tmp_path / "home"))

    def run(*words: object) -> tuple[int, str, str]:
        code = main(["models", *map(str, words)])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def test_get_fetches_and_says_how_it_is_used(models, tmp_path, monkeypatch):
    repository = tiny.build("audioldm", tmp_path / "repository")
    with serving({"cvssp/audioldm-s-full-v2": repository}) as (address, served):
        monkeypatch.setitem(os.environ, "HF_ENDPOINT", address)
        code, shown, said = models("get", "audioldm")
        assert code == OK and Path(shown.strip()) == tmp_path / "home" / "models" / "audioldm"
        for part in ("cvssp/audioldm-s-full-v2: ", " files, ", " MB", "CC BY-NC-SA 4.0", "--backbone audioldm"):
            assert part in said
        served.gated = True
        code, shown, _ = models("get", "stable-audio-open", "--json")
    error = json.loads(shown.splitlines()[-1])
    assert code == FAILED and error["event"] == "error" and error["code"] == "model_unavailable"


def test_add_names_a_folder(models, tmp_path):
    folder = tiny.build("tango", tmp_path / "Old Tango")
    code, shown, _ = models("add", folder, "--name", "milonga", "--json")
    assert code == OK and json.loads(shown.splitlines()[-1]) == {
        "event": "model", "name": "milonga", "folder": str(folder), "layout": "tango", "licence": "unknown"}
    assert f"[milonga]\nsource = {json.dumps(str(folder))}" in (tmp_path / "home" / "models.toml").read_text()


@pytest.mark.parametrize(("words", "says"), [
    (["get"], "needs one name"), (["add"], "needs one folder"), (["get", "a", "b"], "needs one name"),
    (["get", "audioldm", "--name", "x"], "keeps its name"), (["embedded", "--name", "x"], "--name is for"),
])
def test_what_is_not_understood_is_said(models, words, says):
    code, _, said = models(*words)
    assert code == USAGE and says in said
