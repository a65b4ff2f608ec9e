# SPDX-License-Identifier: GPL-3.0-or-later
"""Athanor's scripts into a folder like Ardour's and out of it again."""

import re

import pytest

import presets
from bridge.adapters.ardour import files, install
from bridge.adapters.ardour_scripts import action_numbers
from bridge.host_files import HOSTS
from server.errors import InvalidInput, InvalidOption


@pytest.fixture
def target(tmp_path, monkeypatch):
    monkeypatch.setenv("ATHANOR_HOME", str(tmp_path / "home é"))
    folder = tmp_path / "ardour7"
    folder.mkdir()
    return folder


def test_every_script_is_installed_registered_and_taken_out_again(target):
    written = install(target)
    assert {str(path.relative_to(target)): path.read_text(encoding="utf-8") for path in written[:-1]} == files()
    assert (target / "athanor" / "home.txt").read_text(encoding="utf-8").strip() == str(target.parent / "home é")
    assert files()["athanor/json.lua"] == (HOSTS / "lua" / "json.lua").read_text(encoding="utf-8")
    actions = list(action_numbers((target / "ui_scripts").read_text(encoding="utf-8")))
    assert len(actions) == sum(name.startswith("scripts/") for name in files()) - 1, "all but the hook"
    assert actions[:2] == ["Athanor: fuse two regions", "Athanor: split into stems"]

    install(target, undo=True)
    assert list(target.iterdir()) == []
    assert install(target, undo=True) == []


def test_every_action_says_what_it_does_and_asks_for_a_preset_that_exists():
    scripts = {name: text for name, text in files().items() if name.startswith("scripts/")}
    for text in scripts.values():
        assert re.search(r'name = "Athanor: [a-z ]+"', text) and re.search(r"description = \[\[[A-Z].+\.\]\]", text)
    asked = [name for text in scripts.values() for name in re.findall(r'preset = "(\w+)"', text)]
    assert [presets.load(name).name for name in asked] == ["fuse_equilibrium", "separate_stems", "edit_four",
                                                           "restore_dropout", "restore_room", "vary_eight"]


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
