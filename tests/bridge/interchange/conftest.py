# SPDX-License-Identifier: GPL-3.0-or-later
"""Results on disk, as a render leaves them, at places where a wrong rounding shows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from bridge.interchange.results import find_results
from bridge.interchange.timeline import Timeline, arrange
from bridge.placement import Origin, Start, place
from server.audio import Clip

# Beyond 2^24 samples, where float32 rounds; the last one needs more than 32 bits.
FAR = (2**24 + 1, 2**24 * 5 + 3, 2**33 + 7)


@pytest.fixture
def make_result(tmp_path: Path) -> Callable[..., Path]:
    """Writes a result: `make_result(name, start=0, start_rate=48000, sample_rate=48000, channels=1, samples=480)`."""

    def make(name: str, *, start: int = 0, start_rate: int = 48000, sample_rate: int = 48000, channels: int = 1,
             samples: int = 480, job: str = "j0b", level: float = 0.4) -> Path:
        time_s = np.arange(samples) / sample_rate
        sound = np.stack([level * np.sin(2 * np.pi * 440 * time_s + side) for side in range(channels)])
        origin = Origin(job * 8, "r1", datetime(2026, 11, 20).astimezone(), Start(start, start_rate, "requested"), "fuse",
                        track=name)
        path = tmp_path / "results" / f"{name}.wav"
        place(Clip(sound, sample_rate), path, "fused", origin, {"kind": "fuse"})
        return path

    return make


@pytest.fixture
def far_timeline(make_result: Callable[..., Path]) -> Timeline:
    """A 48 kHz project with far starts, a stereo clip, and a clip of 44.1 kHz whose start is told in its own samples."""
    paths = [make_result("voice", start=FAR[0]), make_result("bells & <glass>", start=FAR[1], channels=2),
             make_result("late", start=FAR[2], samples=481),
             make_result("tape", start=44100 * 400 + 1, start_rate=44100, sample_rate=44100, samples=441)]
    return arrange("far", find_results([str(path) for path in paths]), 48000)
