# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a vocoder's sound to the mel that it was asked for: a gain for every band at every time.

A small vocoder gives good phases sooner than good levels. What it was asked for is known, so the levels can be set right
afterwards, while pitch, phase and everything finer than a mel band stay the vocoder's own.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from server.models.mel import MelSpec, mel_bank

LOWEST, HIGHEST = 1e-3, 30.0  # gain of one pass: -60 to +30 dB


def toward_mel(audio: Tensor, wanted: Tensor, spec: MelSpec, n_passes: int) -> Tensor:
    """Audio [batch, frames * hop] whose log-mel is nearer to `wanted` [batch, frames, n_mels] with every pass.

    Each pass scales the short-time spectrum by the ratio of the wanted mel to the present one, spread from the bands to
    the bins; overlapping frames make that inexact, so it is worth repeating: the first few passes do most. Differentiable.
    """
    assert audio.shape[-1] == wanted.shape[1] * spec.hop, "one hop of audio per frame"
    window = torch.hann_window(spec.n_fft, device=audio.device)
    bank, spread = (matrix.to(audio.device) for matrix in _matrices(spec))
    for _ in range(n_passes):
        spectrum = torch.stft(audio, spec.n_fft, spec.hop, window=window, center=True, return_complex=True)[..., :-1]
        present = (spectrum.abs().transpose(1, 2) @ bank).clamp(min=1e-6)
        gain = (wanted.exp() / present).clamp(LOWEST, HIGHEST).log() @ spread
        audio = torch.istft(spectrum * gain.exp().transpose(1, 2), spec.n_fft, spec.hop, window=window, center=True,
                            length=audio.shape[-1])
    return audio


@lru_cache(maxsize=8)
def _matrices(spec: MelSpec) -> tuple[Tensor, Tensor]:
    """The mel bank [bins, n_mels], and each band's part in each bin [n_mels, bins]; bins of no band keep their level."""
    bank = mel_bank(spec).float()
    total = bank.sum(1, keepdim=True)
    return bank, torch.where(total > 1e-8, bank / total.clamp(min=1e-8), 0.0).T.contiguous()
