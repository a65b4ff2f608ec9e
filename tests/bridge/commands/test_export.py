# SPDX-License-Identifier: GPL-3.0-or-later
"""export: from results on disk to a project, through the command line."""

from __future__ import annotations

import json
from datetime import datetime

import numpy as np
import pytest

from bridge.cli import FAILED, OK, USAGE, main
from bridge.commands.export import FORMATS
from bridge.placement import Origin, Start, place
from server.audio import Clip


@pytest.fixture
def result(tmp_path):
    origin = Origin("a" * 32, "r1", datetime(2026, 11, 20).astimezone(), Start(2**24 + 1, 48000, "requested"), "fuse",
                    track="drums")
    path = tmp_path / "results" / "drums+bell-fused.wav"
    place(Clip(np.full((1, 480), 0.25, np.float32), 48000), path, "fused", origin, {"kind": "fuse"})
    return path


@pytest.mark.parametrize("format", FORMATS)
def test_each_format_lies_beside_the_first_result(result, capsys, format):
    assert main(["export", str(result), "--as", format, "--json"]) == OK
    event = json.loads(capsys.readouterr().out)
    path = result.with_suffix(f".{format}")
    assert event == {"event": "exported", "file": str(path), "format": format, "sample_rate": 48000,
                     "tracks": [{"name": "drums: fused", "clips": 1}]}
    assert path.stat().st_size > 500
    assert {found.suffix for found in result.parent.iterdir()} == {".wav", ".json", f".{format}"}


def test_a_name_and_a_rate_may_be_given(result, tmp_path, capsys):
    out = tmp_path / "song.RPP"
    assert main(["export", str(result.parent), "--as", "rpp", "-o", str(out), "--rate", "96000"]) == OK
    assert capsys.readouterr().out == f"{out}\n"
    text = out.read_text()
    assert "SAMPLERATE 96000" in text
    assert 'FILE "results/drums+bell-fused.wav"' in text


def test_a_project_that_cannot_be_written_leaves_the_old_one(result, tmp_path, capsys):
    out = tmp_path / "song.aaf"
    out.write_text("old")
    result.write_bytes(result.read_bytes()[:-8])
    assert main(["export", str(result), "--as", "aaf", "-o", str(out)]) == FAILED
    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_cannot_be_is_said(result, tmp_path, capsys):
    assert main(["export", str(result), "--as", "rpp", "--rate", "20"]) == USAGE
    assert "--rate 20 is no sample rate; give 4000 to 768000 Hz" in capsys.readouterr().err
    assert main(["export", str(result), "--as", "als"]) == USAGE
    assert main(["export", str(result), "--as", "rpp", "-o", str(tmp_path / "no" / "x.rpp")]) == FAILED
    assert "No such file or directory" in capsys.readouterr().err


def test_a_result_s_own_sound_is_never_replaced(result, capsys):
    before = result.read_bytes()
    assert main(["export", str(result), "--as", "rpp", "-o", str(result)]) == USAGE
    assert "ends in .rpp" in capsys.readouterr().err
    assert result.read_bytes() == before
