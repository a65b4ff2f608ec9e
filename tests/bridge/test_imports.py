# SPDX-License-Identifier: GPL-3.0-or-later
"""Names under the import root: what resolves, and that nothing leads out."""

import sys
from pathlib import Path

import pytest

from bridge.imports import default_root, relative_name, resolve
from server.errors import InvalidInput


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "takes").mkdir(parents=True)
    (folder / "takes" / "bell é 1.wav").write_bytes(b"x")
    (folder / "drone.wav").write_bytes(b"x")
    (tmp_path / "secret.wav").write_bytes(b"x")
    return folder


@pytest.mark.parametrize("name", ["drone.wav", "takes/bell é 1.wav", "./drone.wav"])
def test_a_name_under_the_root_resolves_and_comes_back(root, name):
    path = resolve(root, name)
    assert path.is_file()
    assert resolve(root, relative_name(root, path)) == path


@pytest.mark.parametrize("name", [
    "../secret.wav", "takes/../../secret.wav", "..\\secret.wav", "takes\\..\\..\\secret.wav", "/etc/passwd",
    "C:\\secret.wav", "C:secret.wav", "\\\\server\\share\\x.wav", "//server/share/x.wav", "..",
])
def test_an_escape_is_refused_and_the_root_named(root, name):
    with pytest.raises(InvalidInput, match="import root"):
        resolve(root, name)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_links_may_stay_inside_but_not_lead_out(root, tmp_path):
    (root / "out.wav").symlink_to(tmp_path / "secret.wav")
    (root / "outside").symlink_to(tmp_path)
    (root / "in.wav").symlink_to(root / "drone.wav")
    assert resolve(root, "in.wav") == (root / "drone.wav").resolve()
    for name in ("out.wav", "outside/secret.wav"):
        with pytest.raises(InvalidInput, match="leads out"):
            resolve(root, name)


def test_the_root_itself_may_be_reached_by_a_link(root, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(root)
    assert relative_name(link, resolve(link, "drone.wav")) == "drone.wav"


@pytest.mark.parametrize("name", ["", "  ", "a\0b"])
def test_an_empty_name_is_refused(root, name):
    with pytest.raises(InvalidInput, match="empty file name"):
        resolve(root, name)


def test_a_folder_is_no_clip(root):
    with pytest.raises(InvalidInput, match="is a folder"):
        resolve(root, "takes")


def test_a_missing_file_names_the_nearest_one(root):
    with pytest.raises(InvalidInput, match=r"did you mean 'drone.wav'\?"):
        resolve(root, "drones.wav")


def test_a_missing_file_in_an_empty_or_missing_root_says_so(tmp_path):
    with pytest.raises(InvalidInput, match="folder is empty"):
        resolve(tmp_path / "nothing", "a.wav")


def test_the_root_comes_from_the_environment_or_the_music_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("ATHANOR_ROOT", str(tmp_path))
    assert default_root() == tmp_path
    monkeypatch.delenv("ATHANOR_ROOT")
    assert default_root().name == "Athanor"
