# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np

from server.audio import Clip
from server.measure.mel_frames import N_FRAMES, N_SAMPLES, audio_of, of_clips

RATE = 32000


def test_short_clips_are_heard_again_and_long_ones_cut() -> None:
    click = np.zeros((1, RATE // 10))
    click[0, 0] = 1
    audio = audio_of([Clip(click, RATE), Clip(np.ones((2, 8 * 16000)), 16000)])
    assert audio.shape == (2, N_SAMPLES)
    assert (audio[0] > 0.4).sum() == -(-N_SAMPLES // round(0.35 * RATE))
    assert of_clips([Clip(click, RATE)]).shape == (1, N_FRAMES, 64)
