# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from server.errors import InvalidInput, InvalidOption, RequestRefused
from server.palette import Palette, read_card

CARD = {"prompt": "glass bells", "backbone": "embedded", "revision": "sha256-1"}


def entry_file(path: Path, value: float = 0.0) -> Path:
    """A palette file as the learn method writes it, by the real library."""
    save_file({"weight": np.full((2, 3), value, np.float32)}, path, metadata={"athanor": json.dumps(CARD)})
    return path


def test_an_installed_entry_is_listed_with_its_card(tmp_path: Path) -> None:
    palette = Palette(tmp_path / "palette")
    source = entry_file(tmp_path / "source.safetensors")
    entry = palette.install("bells", source)
    assert (entry.name, entry.card, entry.bytes) == ("bells", CARD, source.stat().st_size)
    (tmp_path / "palette" / "notes.safetensors").write_text("no entry")
    assert palette.entries() == [entry]
    assert palette.has("bells") and not palette.has("drums")
    palette.remove("bells")
    assert palette.entries() == []


def test_another_entry_of_the_name_is_kept_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    palette = Palette(tmp_path / "palette")
    one, other = entry_file(tmp_path / "1.safetensors", 1.0), entry_file(tmp_path / "2.safetensors", 2.0)
    palette.install("bells", one)
    palette.install("bells", one)
    with pytest.raises(RequestRefused, match="another 'bells'") as refused:
        palette.install("bells", other)
    assert refused.value.code == "conflict"
    palette.install("bells", other, replace=True)
    assert palette.require("bells").read_bytes() == other.read_bytes()


@pytest.mark.parametrize("content", [
    b"", b"short", struct.pack("<Q", 2**60) + b"{}", struct.pack("<Q", 2) + b"{}", struct.pack("<Q", 4) + b"null",
    struct.pack("<Q", 35) + b'{"__metadata__":{"athanor":"[1,2]"}}'[:35],
])
def test_what_is_no_palette_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.safetensors"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="file.safetensors"):
        read_card(path)
    palette = Palette(tmp_path / "palette")
    with pytest.raises(InvalidInput):
        palette.install("bells", path)
    assert list((tmp_path / "palette").iterdir()) == []


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65, "nul\0"])
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidOption, match="palette name"):
        Palette(tmp_path).path(name)


def test_a_missing_entry_is_an_error_that_names_what_there_is(tmp_path: Path) -> None:
    palette = Palette(tmp_path / "palette")
    palette.install("bells", entry_file(tmp_path / "1.safetensors"))
    with pytest.raises(RequestRefused, match="no 'drums'; it has bells"):
        palette.remove("drums")


def test_what_a_crash_left_is_cleared(tmp_path: Path) -> None:
    palette = Palette(tmp_path)
    (tmp_path / ".bells.0123abcd.part").write_bytes(b"half")
    (tmp_path / ".DS_Store").write_bytes(b"not ours")
    palette.clear_leavings()
    assert [path.name for path in tmp_path.iterdir()] == [".DS_Store"]
