# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows of 10 s with 10 % overlap: how the papers bring long clips to embeddings. No torch."""

from __future__ import annotations

import numpy as np

from server.audio import Clip, fold_mono, resample

SECONDS, OVERLAP = 10.0, 0.1


def windows(clip: Clip, sample_rate: int, seconds: float = SECONDS, overlap: float = OVERLAP) -> list[np.ndarray]:
    """A clip's windows, mono at `sample_rate`: float32 [time] each, in order.

    A window starts every `seconds * (1 - overlap)`, and none that would hold what the one before holds already. The last
    one is shorter where the clip ends in it: an embedding fills it up as it was trained to. A clip that fits is one window.
    """
    samples = resample(fold_mono(clip), sample_rate).samples[0]
    size, step = round(seconds * sample_rate), round(seconds * (1.0 - overlap) * sample_rate)
    return [samples[start:start + size] for start in range(0, max(1, len(samples) - (size - step)), step)]


def repeated(samples: np.ndarray, n_samples: int) -> np.ndarray:
    """Samples [time] as often as they fit whole into `n_samples`, then silence (CLAP's `repeatpad`); cut if longer."""
    times = max(1, n_samples // max(1, len(samples)))
    made = np.tile(samples, times)[:n_samples]
    return np.pad(made, (0, n_samples - len(made)))
