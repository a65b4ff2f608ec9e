# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import soundfile

from server.models.embedded import clips

SHIPPED = Path(str(files("presets"))) / "clips"


@pytest.mark.parametrize("name", sorted(clips.CLIPS))
def test_the_shipped_clip_is_the_one_that_the_recipe_makes(name: str) -> None:
    info = soundfile.info(SHIPPED / f"{name}.flac")
    assert (info.samplerate, info.channels, info.format, info.subtype) == (48000, 2, "FLAC", "PCM_24")
    shipped, _ = soundfile.read(SHIPPED / f"{name}.flac", dtype="float32")
    made = clips.CLIPS[name]()
    assert made.dtype == np.float32 and made.shape == shipped.T.shape
    assert np.abs(shipped).max() == pytest.approx(10 ** (-3 / 20), abs=1e-4)
    np.testing.assert_allclose(made.T, shipped, rtol=0, atol=1e-4)  # 24 bits, and the FFT of another machine


def test_the_seed_makes_the_clip() -> None:
    assert not np.array_equal(clips.bowed_drone(1), clips.bowed_drone(2))
