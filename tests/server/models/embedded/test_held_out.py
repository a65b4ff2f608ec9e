# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from server.errors import InvalidOption
from server.models.embedded import held_out


def test_what_is_added_is_known_and_refused(tmp_path: Path) -> None:
    (tmp_path / "bark.wav").write_bytes(b"bark")
    (tmp_path / "meow.wav").write_bytes(b"meow")
    listed = tmp_path / "held_out.txt"
    assert held_out.load(listed) == {}
    assert held_out.add([(tmp_path / "meow.wav", "a  cat\n of scratch"), (tmp_path / "bark.wav", "a dog")], listed) == 2
    assert held_out.add([(tmp_path / "bark.wav", "again")], listed) == 0
    assert held_out.load(listed) == {hashlib.sha256(b"bark").hexdigest(): "a dog",
                                     hashlib.sha256(b"meow").hexdigest(): "a cat of scratch"}
    (tmp_path / "copy.wav").write_bytes(b"bark")  # the bytes decide, not the name
    with pytest.raises(InvalidOption, match=r"copy\.wav is held out for evaluation \(a dog\)"):
        held_out.refuse(tmp_path / "copy.wav", held_out.load(listed))
    (tmp_path / "own.wav").write_bytes(b"own")
    held_out.refuse(tmp_path / "own.wav", held_out.load(listed))


def test_the_list_is_in_order_of_what_it_says(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode())
    listed = tmp_path / "held_out.txt"
    held_out.add([(tmp_path / "a", "zebra"), (tmp_path / "b", "ant")], listed)
    lines = listed.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("#") and [line.split(" ")[1] for line in lines[1:]] == ["ant", "zebra"]


def test_a_line_that_is_no_hash_is_named(tmp_path: Path) -> None:
    listed = tmp_path / "held_out.txt"
    listed.write_text("# comment\n\ndog.wav a dog\n", encoding="utf-8")
    with pytest.raises(InvalidOption, match="line 3: 'dog.wav' is no SHA-256"):
        held_out.load(listed)


def test_the_shipped_list_can_be_read() -> None:
    assert all(len(value) == 64 for value in held_out.load())
