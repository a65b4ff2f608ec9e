# SPDX-License-Identifier: GPL-3.0-or-later
"""The data folder is the server's."""

from pathlib import Path

from bridge.home import bridge_folder, home_folder, journal_path, work_folder
from server.settings import default_home


def test_it_is_the_servers_whether_chosen_or_not(monkeypatch, tmp_path):
    monkeypatch.setenv("ATHANOR_HOME", str(tmp_path))
    assert home_folder() == default_home() == tmp_path
    monkeypatch.setenv("ATHANOR_HOME", "~/athanor")
    assert home_folder() == default_home() == Path.home() / "athanor"
    monkeypatch.delenv("ATHANOR_HOME")
    assert home_folder() == default_home()


def test_what_is_the_bridges_own_lies_in_its_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("ATHANOR_HOME", str(tmp_path))
    assert {work_folder().parent, journal_path().parent} == {bridge_folder()} == {tmp_path / "bridge"}
