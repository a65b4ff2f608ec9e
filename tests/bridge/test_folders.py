# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders outside the import root: allowed by the person, closed again, and never a way to anything else."""

import json
from pathlib import Path

import pytest

from bridge import folders
from bridge.cli import main
from bridge.imports import resolve
from server.errors import InvalidInput, InvalidOption, StorageError


@pytest.fixture
def project(tmp_path):
    project = tmp_path / "project"
    (project / "audio").mkdir(parents=True)
    (project / "audio" / "vox é.wav").write_bytes(b"x")
    (tmp_path / "secret.wav").write_bytes(b"x")
    return project


def test_a_file_in_an_allowed_folder_is_named_by_its_path_until_it_is_forgotten(tmp_path, root, project):
    vox = project / "audio" / "vox é.wav"
    with pytest.raises(InvalidInput, match="athanor folders allow"):
        resolve(root, str(vox), folders.allowed(tmp_path))
    assert folders.allow(tmp_path, project) == project.resolve()
    folders.allow(tmp_path, project)
    assert folders.allowed(tmp_path) == (project.resolve(),)
    assert resolve(root, str(vox), folders.allowed(tmp_path)) == vox.resolve()
    assert resolve(root, "original.wav", folders.allowed(tmp_path)) == (root / "original.wav").resolve()
    assert resolve(root, str(root / "original.wav"), folders.allowed(tmp_path)) == (root / "original.wav").resolve()
    folders.forget(tmp_path, project)
    with pytest.raises(InvalidInput, match="absolute path"):
        resolve(root, str(vox), folders.allowed(tmp_path))


@pytest.mark.parametrize("name", ["../secret.wav", "audio/../../secret.wav", "link.wav", "audio", "none.wav", "a\0.wav"])
def test_nothing_else_can_be_named_through_it(tmp_path, root, project, name):
    (project / "link.wav").symlink_to(tmp_path / "secret.wav")
    with pytest.raises(InvalidInput):
        resolve(root, f"{project}/{name}", (project,))


@pytest.mark.parametrize("folder", ["/", "~"])
def test_everything_is_too_much(tmp_path, folder):
    with pytest.raises(InvalidOption, match="everything"):
        folders.allow(tmp_path, Path(folder))


def test_what_is_no_folder_and_what_was_never_allowed_is_said(tmp_path):
    with pytest.raises(InvalidInput, match="no folder"):
        folders.allow(tmp_path, tmp_path / "none")
    with pytest.raises(InvalidOption, match="they are: none"):
        folders.forget(tmp_path, tmp_path)
    folders.list_path(tmp_path).parent.mkdir()
    folders.list_path(tmp_path).write_text("{")
    with pytest.raises(StorageError, match="Delete it"):
        folders.allowed(tmp_path)


def test_the_command_allows_lists_and_forgets(tmp_path, project, capsys):
    home = ["--home", str(tmp_path), "--json"]
    assert main(["folders", "allow", str(project), *home]) == 0
    assert main(["folders", *home]) == 0
    assert main(["folders", "forget", str(project), *home]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["allow", "folder", "forget"]
    assert {event["folder"] for event in events} == {str(project)}
    assert main(["folders", "allow", *home]) == 2
