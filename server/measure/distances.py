# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a rebuilt sound is from the real one: in short-time spectra and in its highs."""

from __future__ import annotations

import torch
from torch import Tensor

RESOLUTIONS = ((256, 64), (512, 128), (1024, 256), (2048, 512))
FLOOR = 1e-4


def stft_distance(made: Tensor, real: Tensor) -> Tensor:
    """Of each clip of `[batch, samples]`, the mean over four resolutions of spectral convergence and log-magnitude error.

    Yamamoto, Song and Kim 2020, equations 4 to 6: |A - B| / |B| in the Frobenius norm plus the mean of |log A - log B|, in
    nat, magnitudes floored at 1e-4 (full scale 1 and a Hann window, so silence does not count). 0 for the same sound.
    """
    total = torch.zeros(len(real))
    for size, hop in RESOLUTIONS:
        window = torch.hann_window(size)
        a, b = (torch.stft(x, size, hop, window=window, return_complex=True).abs() for x in (made, real))
        convergence = (a - b).flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1).clamp(min=1e-3)
        total += convergence + ((a + FLOOR).log() - (b + FLOOR).log()).abs().mean((1, 2))
    return total / len(RESOLUTIONS)


def energy_above_db(audio: Tensor, sample_rate: int, hz: float = 10000.0) -> Tensor:
    """Energy of each clip of `[batch, samples]` above a frequency, dB of full scale squared per sample."""
    spectrum = torch.fft.rfft(audio).abs().square()
    above = torch.fft.rfftfreq(audio.shape[-1], 1 / sample_rate) >= hz
    return 10 * torch.log10((2 * spectrum[..., above].sum(-1) / audio.shape[-1] ** 2).clamp(min=1e-12))
