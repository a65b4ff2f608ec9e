# SPDX-License-Identifier: GPL-3.0-or-later
"""Griffin-Lim: sound from a log-mel without learning, which a vocoder must beat to be worth its bytes."""

from __future__ import annotations

import torch
from torch import Tensor

from server.models.mel import MelSpec, mel_bank


def from_mel(log_mel: Tensor, spec: MelSpec, n_iterations: int = 60, seed: int = 0) -> Tensor:
    """Audio `[batch, frames * hop]` from log-mels `[batch, frames, n_mels]`."""
    return griffin_lim(magnitudes(log_mel, spec), spec, n_iterations, seed=seed)


def magnitudes(log_mel: Tensor, spec: MelSpec) -> Tensor:
    """STFT magnitudes `[batch, bins, frames]`, not below 0, of log-mels `[batch, frames, n_mels]` by the pseudo-inverse."""
    inverse = torch.linalg.pinv(mel_bank(spec)).float()
    return (log_mel.exp() @ inverse).clamp(min=0).transpose(1, 2)


def griffin_lim(magnitude: Tensor, spec: MelSpec, n_iterations: int = 60, momentum: float = 0.99, seed: int = 0) -> Tensor:
    """Audio `[batch, frames * hop]` whose STFT magnitudes come near to `magnitude`, from random phases.

    Fast Griffin-Lim (Perraudin, Balazs and Sondergaard 2013, algorithm 2), `momentum` being its alpha.
    """
    window, n_samples = torch.hann_window(spec.n_fft), magnitude.shape[2] * spec.hop
    generator = torch.Generator().manual_seed(seed)
    turn = 2 * torch.pi * torch.rand(magnitude.shape, generator=generator)
    estimate, before = torch.polar(torch.ones_like(magnitude), turn), None
    for _ in range(n_iterations):
        audio = _inverse(magnitude, estimate, spec, window, n_samples)
        now = torch.stft(audio, spec.n_fft, spec.hop, window=window, center=True, return_complex=True)
        now = now[..., :magnitude.shape[2]]
        estimate = now if before is None else now + momentum * (now - before)
        before = now
    return _inverse(magnitude, estimate, spec, window, n_samples)


def _inverse(magnitude: Tensor, phase: Tensor, spec: MelSpec, window: Tensor, n_samples: int) -> Tensor:
    """Audio of given magnitudes with the phases of a complex spectrogram."""
    spectrum = magnitude * phase / (phase.abs() + 1e-9)
    return torch.istft(spectrum, spec.n_fft, spec.hop, window=window, center=True, length=n_samples)
