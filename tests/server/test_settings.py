# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from server.errors import InvalidOption
from server.settings import Settings, default_home, with_overrides


def test_home_is_the_environments_or_the_platforms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ATHANOR_HOME", str(tmp_path))
    assert default_home() == tmp_path
    monkeypatch.delenv("ATHANOR_HOME")
    assert default_home().name == "athanor"


def test_settings_are_set_from_text_by_type(tmp_path: Path) -> None:
    changed = with_overrides(Settings(tmp_path), {"drain_s": "2", "queued_limit": "7", "warm": "no", "bind": "::1"})
    assert (changed.drain_s, changed.queued_limit, changed.warm, changed.bind) == (2.0, 7, False, "::1")
    assert changed.home == tmp_path


@pytest.mark.parametrize(("name", "value"), [("drain", "2"), ("home", "/"), ("queued_limit", "many"), ("warm", "perhaps")])
def test_what_cannot_be_set_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(InvalidOption, match=name):
        with_overrides(Settings(tmp_path), {name: value})


def test_everything_lies_below_home(tmp_path: Path) -> None:
    paths = Settings(tmp_path).paths
    for path in (paths.ledger, paths.blobs, paths.connection, paths.lock, paths.log, paths.palette, paths.allowed_keys):
        assert path.is_relative_to(tmp_path)
