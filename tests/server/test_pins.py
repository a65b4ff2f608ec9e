# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from server.pins import Pins


def test_pins_are_kept_in_order_each_once(tmp_path):
    pins = Pins(tmp_path / "pins.json")
    assert pins.names() == []
    for name in ("audioldm2", "/data/strings", "audioldm2"):
        pins.keep(name, True)
    assert Pins(tmp_path / "pins.json").names() == ["/data/strings", "audioldm2"]
    pins.keep("/data/strings", False)
    pins.keep("never pinned", False)
    assert pins.names() == ["audioldm2"] and [p.name for p in tmp_path.iterdir()] == ["pins.json"]


def test_a_damaged_file_pins_nothing(tmp_path):
    for text in ("{", '{"a": 1}', "[1, 2]"):
        (tmp_path / "pins.json").write_text(text)
        assert Pins(tmp_path / "pins.json").names() == []
