# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.cli import main
from bridge.home import journal_path
from bridge.journal import Journal
from bridge.placement import make_folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ATHANOR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_hosts_are_listed_with_their_files_and_their_last_hello(home: Path, capsys) -> None:
    make_folder(journal_path().parent)
    journal = Journal(journal_path())
    journal.remember_client("pd-me", "udp", "127.0.0.1:9", "")
    journal.close()
    assert main(["hosts", "install", "pd"]) == 0
    written = capsys.readouterr()
    assert "athanor-help.pd" in written.out and "uninstall pd" in written.err
    assert main(["hosts", "--json"]) == 0
    hosts = {line["name"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert hosts["pd"]["said_hello"] > 1.7e9 and len(hosts["pd"]["files"]) >= 2
    assert hosts["ardour"]["files"] == [] and hosts["ardour"]["said_hello"] is None
    assert main(["hosts", "uninstall", "pd"]) == 0
    assert not (home / ".local/lib/pd/extra/athanor").exists()


@pytest.mark.parametrize(("words", "said"), [
    (["install"], "say which host"), (["install", "ardor"], "did you mean 'ardour'"),
    (["instal", "pd"], "did you mean 'install'"), (["uninstall", "pd"], "put nothing"),
])
def test_what_cannot_be_done_is_told(words: list[str], said: str, capsys) -> None:
    assert main(["hosts", *words]) == 2
    assert said in capsys.readouterr().err
