# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bridge import host_files
from bridge.host_files import Host, find_host, install, installed, load_hosts, uninstall
from server.errors import InvalidOption, StorageError


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host with a script, one in a folder, one that hosts share, and a file that is none. It has two versions."""
    monkeypatch.setenv("ATHANOR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SETTINGS", str(tmp_path / "settings"))
    monkeypatch.setattr(host_files, "HOSTS", tmp_path / "hosts")
    for name in ("a.lua", "lib/b.lua", "lib/deep/c.lua", "notes.txt", "../lua/d.lua"):
        path = tmp_path / "hosts" / "daw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"-- {name}\n")
    (tmp_path / "hosts" / "daw" / "install.toml").write_text(
        'title = "A DAW"\nclick = ["Click here."]\n[detect]\nprograms = ["no-such-program"]\n[detect.folders]\n'
        + "".join(f'{system} = ["$SETTINGS/daw[0-9]"]\n' for system in ("linux", "macos", "windows"))
        + '[[files]]\nfrom = "*.lua"\nto = "Scripts"\n[[files]]\nfrom = "lib/**/*"\nto = "Scripts/lib"\n'
        + '[[files]]\nfrom = "../lua/*.lua"\nto = "Scripts/lib"\n')
    for version in ("daw6", "daw7"):
        (tmp_path / "settings" / version).mkdir(parents=True)
    return find_host("daw")


def test_files_go_into_the_newest_version_and_out_again(host: Host, tmp_path: Path) -> None:
    scripts = tmp_path / "settings" / "daw7" / "Scripts"
    expected = [scripts / "a.lua", scripts / "lib" / "b.lua", scripts / "lib" / "d.lua",
                scripts / "lib" / "deep" / "c.lua"]
    assert sorted(install(host)) == expected == sorted(installed(host))
    assert expected[1].read_text() == "-- lib/b.lua\n"
    assert sorted(install(host)) == expected, "twice is once"
    gone, changed = uninstall(host)
    assert (sorted(gone), changed) == (expected, [])
    assert list((tmp_path / "settings" / "daw7").iterdir()) == [] == installed(host)
    with pytest.raises(InvalidOption, match="put nothing into A DAW"):
        uninstall(host)


def test_a_new_release_or_another_folder_leaves_nothing_old_behind(host: Host, tmp_path: Path) -> None:
    install(host)
    (tmp_path / "hosts" / "daw" / "lib" / "b.lua").unlink()
    assert len(install(host)) == 3
    assert not (tmp_path / "settings" / "daw7" / "Scripts" / "lib" / "b.lua").exists()
    assert len(install(host, tmp_path / "portable")) == 3
    assert list((tmp_path / "settings" / "daw7").iterdir()) == []


def test_what_a_person_wrote_or_changed_stays(host: Host, tmp_path: Path) -> None:
    scripts = tmp_path / "settings" / "daw7" / "Scripts"
    scripts.mkdir()
    (scripts / "a.lua").write_text("mine")
    with pytest.raises(StorageError, match="is not Athanor's"):
        install(host)
    assert [path.name for path in scripts.iterdir()] == ["a.lua"], "all or nothing"
    (scripts / "a.lua").unlink()
    install(host)
    (scripts / "lib" / "b.lua").write_text("changed")
    with pytest.raises(StorageError, match="b.lua is there already"):
        install(host)
    gone, changed = uninstall(host)
    assert changed == [scripts / "lib" / "b.lua"] and len(gone) == 3


def test_a_host_that_is_not_here_is_told_and_another_folder_can_be_named(host: Host, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SETTINGS", str(tmp_path / "elsewhere"))
    assert host.target is None and host.program is None
    with pytest.raises(InvalidOption, match="A DAW was not found.*--to"):
        install(host)
    assert len(install(host, tmp_path / "portable")) == 4
    with pytest.raises(InvalidOption, match="no files for 'dow'"):
        find_host("dow")


@pytest.mark.parametrize("name", list(load_hosts()))
@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_every_host_that_ships_says_what_it_has_and_what_to_click(name, system, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("ATHANOR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "platform", system)
    host = find_host(name)
    assert host.title and host.click
    if host.adapter is None:
        written = install(host, tmp_path / "target")
        assert written and all(path.is_file() for path in written)
        assert uninstall(host) == (written, [])
