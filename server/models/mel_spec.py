# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers that a mel spectrogram is made by; the spectrogram itself is `server.models.mel`. No torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MelSpec:
    """sample_rate in Hz; n_fft, hop in samples; n_mels bands from f_min to f_max in Hz. By default the 16 kHz models'."""

    sample_rate: int = 16000
    n_fft: int = 1024
    hop: int = 160
    n_mels: int = 64
    f_min: float = 0.0
    f_max: float = 8000.0
