# SPDX-License-Identifier: GPL-3.0-or-later
"""Griffin-Lim from a log-mel: sound without learning, which a vocoder must beat to be worth its bytes."""

from __future__ import annotations

import torch
from torch import Tensor

from server.methods.griffin_lim import griffin_lim
from server.models.mel import MelSpec, mel_bank


def from_mel(log_mel: Tensor, spec: MelSpec, n_iterations: int = 60, seed: int = 0) -> Tensor:
    """Audio `[batch, frames * hop]` from log-mels `[batch, frames, n_mels]`, from random phases."""
    magnitude = magnitudes(log_mel, spec)
    *_, audio = griffin_lim(magnitude, random_phases(magnitude, seed), spec.n_fft, spec.hop,
                            magnitude.shape[2] * spec.hop, n_iterations)
    return audio


def random_phases(magnitude: Tensor, seed: int) -> Tensor:
    """Unit complex numbers with uniform phases, one for each magnitude, by seed."""
    turn = 2 * torch.pi * torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(seed))
    return torch.polar(torch.ones_like(magnitude), turn)


def magnitudes(log_mel: Tensor, spec: MelSpec) -> Tensor:
    """STFT magnitudes `[batch, bins, frames]`, not below 0, of log-mels `[batch, frames, n_mels]` by the pseudo-inverse."""
    inverse = torch.linalg.pinv(mel_bank(spec)).float()
    return (log_mel.exp() @ inverse).clamp(min=0).transpose(1, 2)
