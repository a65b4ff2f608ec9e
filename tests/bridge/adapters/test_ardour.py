# SPDX-License-Identifier: GPL-3.0-or-later
"""Athanor's scripts into a folder like Ardour's and out of it again."""

import pytest

from bridge.adapters.ardour import SCRIPTS, install, sources
from bridge.adapters.ardour_scripts import action_numbers
from server.errors import InvalidInput, InvalidOption


@pytest.fixture
def target(tmp_path, monkeypatch):
    monkeypatch.setenv("ATHANOR_HOME", str(tmp_path / "home é"))
    folder = tmp_path / "ardour7"
    folder.mkdir()
    return folder


def test_every_script_is_installed_registered_and_taken_out_again(target):
    written = install(target)
    assert {path.relative_to(target) for path in written} >= {path.relative_to(SCRIPTS) for path in SCRIPTS.rglob("*.lua")}
    assert all(path.is_file() for path in written)
    assert (target / "athanor" / "home.txt").read_text(encoding="utf-8").strip() == str(target.parent / "home é")
    actions, hooks = sources()
    assert len(actions) + len(hooks) == len(list((SCRIPTS / "scripts").iterdir()))
    assert list(action_numbers((target / "ui_scripts").read_text(encoding="utf-8"))) == list(actions)
    assert len(hooks) == 1

    install(target, undo=True)
    assert list(target.iterdir()) == []
    assert install(target, undo=True) == []


def test_what_a_person_keeps_in_the_same_folders_stays(target):
    (target / "scripts").mkdir()
    (target / "scripts" / "mine.lua").write_text("-- mine")
    install(target)
    install(target, undo=True)
    assert (target / "scripts" / "mine.lua").read_text() == "-- mine"


def test_the_timer_hook_is_registered_only_where_its_signal_is_known(target):
    other = target.with_name("ardour8")
    other.mkdir()
    install(other)
    assert "LuaCallback" not in (other / "ui_scripts").read_text()
    install(target)
    assert "LuaCallback" in (target / "ui_scripts").read_text()


def test_a_folder_that_is_not_ardours_and_a_broken_registry_are_refused_and_left_alone(target, tmp_path):
    with pytest.raises(InvalidOption, match=r"not Ardour's configuration folder.*~/\.config/ardour7"):
        install(tmp_path)
    (target / "ui_scripts").write_text("not xml")
    with pytest.raises(InvalidInput, match="no XML"):
        install(target)
    assert [path.name for path in target.iterdir()] == ["ui_scripts"]
