# SPDX-License-Identifier: GPL-3.0-or-later
"""train: what is told before and by its process. The training itself: test_finetune.py, and the README's block."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.cli import USAGE, main
from bridge.commands import train


@pytest.mark.parametrize(("words", "message"), [
    ([], "needs a folder of sounds"),
    (["--resume"], "--resume --name NAME"),
    (["sounds", "--minutes", "0"], "more than 0"),
    (["sounds", "--device", "tpu"], "there is no 'tpu'"),
])
def test_a_mistake_is_told_at_once(words, message, capsys):
    assert main(["train", *words]) == USAGE
    assert message in capsys.readouterr().err


@pytest.mark.timeout(300)
def test_the_error_of_the_process_is_the_command_s(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ATHANOR_HOME", str(tmp_path))
    assert main(["train", str(tmp_path), "--name", "embedded"]) == USAGE
    assert "the name 'embedded' is taken" in capsys.readouterr().err


@pytest.mark.parametrize(("folder", "name"), [("My Archive (2)", "my-archive-2"), ("Ätna", "tna"), ("___", "own")])
def test_a_folder_s_name_becomes_the_model_s(folder, name):
    assert train._name_from(Path("/tmp") / folder) == name
