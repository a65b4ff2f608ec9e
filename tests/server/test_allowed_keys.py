# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import stat
from pathlib import Path

import pytest

from server.allowed_keys import AllowedKeys
from server.auth import KeyPair
from server.errors import InvalidOption


def test_keys_are_read_by_line_and_what_stands_behind_is_a_name(tmp_path: Path) -> None:
    path, keys = tmp_path / "allowed_keys", [KeyPair.new().public for _ in range(20)]  # Z85 has # in its alphabet
    allowed = AllowedKeys(path)
    assert allowed.names() == {}
    path.write_text("# studio\n\n" + "\n".join(f"{key} # number {n}" for n, key in enumerate(keys)))
    assert allowed.names() == {key: f"number {n}" for n, key in enumerate(keys)}
    assert keys[3] in allowed and KeyPair.new().public not in allowed


def test_a_file_that_is_damaged_says_where_and_lets_nobody_in(tmp_path: Path) -> None:
    path, key = tmp_path / "allowed_keys", KeyPair.new().public
    path.write_text(f"too short\n{key}\n")
    allowed = AllowedKeys(path)
    with pytest.raises(InvalidOption, match="line 1: a public key has 40 characters"):
        allowed.names()
    assert key not in allowed


def test_what_is_added_and_removed_is_seen_at_once_by_another_reader(tmp_path: Path) -> None:
    path, old, new = tmp_path / "allowed_keys", KeyPair.new().public, KeyPair.new().public
    writer, reader = AllowedKeys(path), AllowedKeys(path)
    writer.add("laptop", old)
    assert old in reader
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    writer.add("tablet", KeyPair.new().public)
    writer.add("laptop", new)  # paired again
    assert new in reader and old not in reader
    writer.remove("laptop")
    assert new not in reader
    with pytest.raises(InvalidOption, match="no machine 'laptop' is paired; there is: tablet"):
        writer.remove("laptop")


@pytest.mark.parametrize("name", ["", " ", "two\nlines", "a # b", "#", "n" * 65, "a\u2028b", "a\x85b"])
def test_a_name_that_could_not_be_read_back_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidOption, match="no name for a machine"):
        AllowedKeys(tmp_path / "allowed_keys").add(name, KeyPair.new().public)
