# SPDX-License-Identifier: GPL-3.0-or-later
"""A job's limit: its kind's own for one window, in proportion for a longer clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from server.audio import Clip, write_clip
from server.deadlines import limit_of, scaled
from server.executors.base import Task
from server.kinds import find_kind
from server.models.own_models import write_entry


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Twice the embedded model's window."""
    path = tmp_path / "clip.wav"
    write_clip(path, Clip(np.full((1, round(2 * 10.24 * 8000)), 0.1, np.float32), 8000))
    return path


def limit(tmp_path: Path, kind: str, inputs: dict[str, Path], **options: object) -> float:
    return limit_of(Task("job", 1, kind, options, inputs, {}), tmp_path)


def test_what_fits_into_a_window_has_the_kind_s_own_time() -> None:
    assert scaled(900.0, 3.0, 10.24) == scaled(900.0, 10.24, 10.24) == 900.0
    assert scaled(900.0, 600.0, 10.0) == 54000.0


def test_the_limit_grows_with_the_clip_against_the_model_s_window(tmp_path: Path, clip: Path) -> None:
    edit, learn = find_kind("edit").deadline_s, find_kind("learn").deadline_s
    assert limit(tmp_path, "edit", {"clip": clip}, to=["rain"]) == pytest.approx(2 * edit)
    assert limit(tmp_path, "learn", {"clip": clip}, backbone="mosaic") == pytest.approx(2 * learn)
    assert limit(tmp_path, "edit", {"clip": clip}, backbone="stable-audio-open") == edit, "its window is longer"
    assert limit(tmp_path, "edit", {"clip": clip}, backbone="someone/unknown") == pytest.approx(2 * edit)
    assert limit(tmp_path, "generate", {}, seconds=51.2) == pytest.approx(5 * find_kind("generate").deadline_s)
    assert limit(tmp_path, "generate", {}, seconds="51.2") == limit(tmp_path, "generate", {}, seconds=51.2)


def test_a_fetched_model_under_its_own_name_has_its_card_s_window(tmp_path: Path, clip: Path) -> None:
    folder = tmp_path / "models" / "stable-audio-open"
    folder.mkdir(parents=True)
    write_entry(tmp_path, "stable-audio-open", Path("models/stable-audio-open"))
    assert limit(tmp_path, "edit", {"clip": clip}, backbone="stable-audio-open") == find_kind("edit").deadline_s


def test_files_that_are_no_clips_do_not_count(tmp_path: Path, clip: Path) -> None:
    restore = find_kind("restore")
    assert {spec.role for spec in restore.inputs if not spec.is_audio} == {"magnitude"}
    damaged = tmp_path / "damaged.wav"
    damaged.write_bytes(b"RIFF")
    assert limit(tmp_path, "restore", {"magnitude": clip, "clip": damaged}) == restore.deadline_s
