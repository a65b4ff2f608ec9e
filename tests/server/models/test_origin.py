# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

from server.models.catalogue import folder_revision
from server.models.origin import Origin, origin_of, write_origin


def test_a_fetched_folder_is_its_commit_until_its_weights_are_others(tmp_path):
    weights = tmp_path / "unet" / "model.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"abc")
    own = folder_revision(tmp_path)
    assert own.startswith("sha256-") and origin_of(tmp_path) is None
    write_origin(tmp_path, "me/bells", "0123abcd")
    assert origin_of(tmp_path) == Origin("me/bells", "0123abcd", 3) and folder_revision(tmp_path) == "0123abcd"
    weights.write_bytes(b"abcd")
    assert origin_of(tmp_path) is None and folder_revision(tmp_path).startswith("sha256-")
    weights.write_bytes(b"xyz")  # trained on: as large as before
    later = (tmp_path / "origin.json").stat().st_mtime_ns + 1_000_000
    os.utime(weights, ns=(later, later))
    assert origin_of(tmp_path) is None and folder_revision(tmp_path).startswith("sha256-")
    write_origin(tmp_path, "me/bells", "0123abcd")
    os.utime(tmp_path / "origin.json", ns=(later, later))
    config = tmp_path / "unet" / "config.json"
    config.write_text("{}", encoding="utf-8")
    os.utime(config, ns=(later + 1_000_000, later + 1_000_000))
    assert origin_of(tmp_path) is None
    (tmp_path / "origin.json").write_text("[]", encoding="utf-8")
    assert origin_of(tmp_path) is None
