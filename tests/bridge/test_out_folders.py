# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

from bridge.out_folders import remember, remembered


def test_folders_are_kept_once_the_newest_first_as_long_as_they_are_there(tmp_path: Path) -> None:
    home, a, b = (tmp_path / name for name in ("home", "a", "b"))
    a.mkdir()
    b.mkdir()
    assert remembered(home) == ()
    for folder in (a, b, a, a):
        remember(home, folder)
    assert remembered(home) == (a, b)
    a.rmdir()
    assert remembered(home) == (b,)


def test_a_list_that_cannot_be_used_costs_no_render(tmp_path: Path) -> None:
    (tmp_path / "bridge").mkdir()
    (tmp_path / "bridge" / "out_folders.json").write_text("{")
    assert remembered(tmp_path) == ()
    remember(tmp_path, tmp_path)
    assert remembered(tmp_path) == (tmp_path,)
    blocked = tmp_path / "file"
    blocked.write_text("")
    remember(blocked / "home", tmp_path)
    assert remembered(blocked / "home") == ()
