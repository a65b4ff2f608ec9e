# SPDX-License-Identifier: GPL-3.0-or-later
"""Installed plugins are found by name in every folder, without being loaded."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from plugin_host.scan import find_plugin, find_plugins, loadable_path, plugin_folders
from server.errors import InvalidOption


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two folders in VST3_PATH: a bundle with a plugin file inside it, one of a vendor, a single file, a namesake."""
    first, second = tmp_path / "first", tmp_path / "second"
    for bundle in (first / "Grain Mill.vst3", first / "Vendor" / "Tube.vst3", second / "Tube.vst3"):
        inner = bundle / "Contents" / "x86_64-win" / bundle.name
        inner.parent.mkdir(parents=True)
        inner.write_text("")
    (second / "single.VST3").write_text("")
    (second / "readme.txt").write_text("")
    monkeypatch.setenv("VST3_PATH", os.pathsep.join([str(first), str(second), str(tmp_path / "missing")]))
    return first, second


def test_bundles_and_files_are_found_once_and_the_first_folder_wins(folders):
    first, second = folders
    found = find_plugins("vst3", folders)
    assert [(plugin.name, plugin.path) for plugin in found] == [
        ("Grain Mill", first / "Grain Mill.vst3"), ("single", second / "single.VST3"),
        ("Tube", first / "Vendor" / "Tube.vst3")]


@pytest.mark.parametrize("name", ["Grain Mill", "grainmill", "GRAIN MILL"])
def test_a_name_is_matched_without_spaces_and_capitals(folders, name):
    assert find_plugin("vst3", name).path == folders[0] / "Grain Mill.vst3"


def test_a_path_is_taken_as_it_is(folders):
    assert find_plugin("vst3", str(folders[1] / "Tube.vst3")).path == folders[1] / "Tube.vst3"
    with pytest.raises(InvalidOption, match=r"There is no plugin file .*none\.vst3"):
        find_plugin("vst3", str(folders[1] / "none.vst3"))


def test_a_plugin_that_is_not_installed_names_the_nearest_and_the_folders(folders):
    with pytest.raises(InvalidOption, match=r"'Grain Mll' is not installed; did you mean 'Grain Mill'\?.*first"):
        find_plugin("vst3", "Grain Mll")


@pytest.mark.skipif(sys.platform == "darwin", reason="Audio Units are there")
def test_audio_units_are_only_on_macos():
    with pytest.raises(InvalidOption, match="AU plugin 'AUDelay' is not installed; none is"):
        find_plugin("au", "AUDelay")


@pytest.mark.parametrize(("platform", "expected"), [
    ("linux", [".vst3", "lib/vst3", "lib/vst3"]), ("darwin", ["Plug-Ins/VST3", "Plug-Ins/VST3"]),
    ("win32", ["Common/VST3", "Files/VST3"]),
])
def test_every_system_has_its_folders(monkeypatch, platform, expected):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.delenv("VST3_PATH", raising=False)
    folders = [folder.as_posix() for folder in plugin_folders("vst3")]
    assert len(folders) == len(expected)
    assert all(folder.endswith(end) for folder, end in zip(folders, expected, strict=True))


def test_windows_wants_the_library_inside(folders, monkeypatch):
    bundle = folders[0] / "Grain Mill.vst3"
    assert loadable_path(bundle) == bundle
    monkeypatch.setattr(sys, "platform", "win32")
    assert loadable_path(bundle) == bundle / "Contents" / "x86_64-win" / "Grain Mill.vst3"
    assert loadable_path(Path("single.vst3")) == Path("single.vst3")


@pytest.mark.hosts
def test_the_zam_plugins_are_found(require_host, monkeypatch):
    path = require_host("/usr/lib/vst3/ZamTube.vst3")
    monkeypatch.delenv("VST3_PATH", raising=False)
    assert find_plugin("vst3", "zamtube").path == path
