# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of what happens in a band of frequencies is kept in a rebuilt sound, whatever its level there."""

from __future__ import annotations

import torch

from server.audio import Clip, fold_mono
from server.models.mel import log_mel
from server.models.mel_spec import MelSpec

N_FFT, HOP, BANDS = 1024, 256, 24


def detail_kept(made: Clip, real: Clip, low_hz: float, high_hz: float) -> float:
    """Correlation of the two clips' log-mels from `low_hz` to `high_hz`, each band's mean over time taken out: -1 to 1.

    1 for the same course of events at whatever level in each band, about 0 for another, and 0 where one has none. Both
    clips are of one rate; the shorter length counts.
    """
    n = min(made.n_samples, real.n_samples) // HOP * HOP
    spec = MelSpec(real.sample_rate, N_FFT, HOP, BANDS, low_hz, high_hz)
    a, b = (log_mel(torch.from_numpy(fold_mono(clip).samples[:, :n]), spec)[0].double() for clip in (made, real))
    a, b = a - a.mean(0), b - b.mean(0)
    size = float(a.norm() * b.norm())
    return float((a * b).sum()) / size if size > 0.0 else 0.0
