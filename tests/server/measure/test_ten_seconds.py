# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np

from server.audio import Clip
from server.measure.ten_seconds import repeated, windows

RATE = 4000


def starts(seconds: float) -> list[tuple[int, int]]:
    clip = Clip(np.arange(round(seconds * RATE), dtype=np.float32)[None], RATE)
    return [(int(part[0]) * 10 // RATE, len(part) * 10 // RATE) for part in windows(clip, RATE)]  # tenths of a second


def test_ten_seconds_every_nine_and_a_shorter_last_one() -> None:
    assert starts(4) == [(0, 40)] and starts(10) == [(0, 100)]
    assert starts(10.5) == [(0, 100), (90, 15)]
    assert starts(19) == [(0, 100), (90, 100)]
    assert starts(21) == [(0, 100), (90, 100), (180, 30)]


def test_whole_repetitions_then_silence() -> None:
    assert repeated(np.array([1, 2, 3]), 8).tolist() == [1, 2, 3, 1, 2, 3, 0, 0]
    assert repeated(np.array([1, 2, 3]), 2).tolist() == [1, 2]
