"""Griffin-Lim: sound from a log-mel without learning, which a vocoder must beat to be worth its bytes."""

import torch
from torch import Tensor

from .format import HOP, N_FFT
from .networks import LogMel


def magnitudes(log_mel: Tensor, mels: LogMel) -> Tensor:
    """STFT magnitudes `[batch, 769, frames]` nearest to log-mels `[batch, 1, frames, 64]`: pseudo-inverse, not below 0."""
    inverse = torch.linalg.pinv(mels.bank)  # [64, 769]
    return (log_mel[:, 0].exp() @ inverse).clamp(min=0).transpose(1, 2)


def griffin_lim(magnitude: Tensor, samples: int, window: Tensor, n_iterations: int = 60, momentum: float = 0.99,
                seed: int = 0) -> Tensor:
    """Audio `[batch, samples]` whose STFT magnitudes come near to `magnitude`, from random phases.

    Fast Griffin-Lim (Perraudin, Balazs and Sondergaard 2013, algorithm 2), `momentum` being its alpha.
    """
    generator = torch.Generator().manual_seed(seed)
    turn = 2 * torch.pi * torch.rand(magnitude.shape, generator=generator)
    estimate, before = torch.polar(torch.ones_like(magnitude), turn), None
    for _ in range(n_iterations):
        audio = _inverse(magnitude, estimate, samples, window)
        now = torch.stft(audio, N_FFT, HOP, window=window, center=True, return_complex=True)[..., :magnitude.shape[2]]
        estimate = now if before is None else now + momentum * (now - before)
        before = now
    return _inverse(magnitude, estimate, samples, window)


def _inverse(magnitude: Tensor, phase: Tensor, samples: int, window: Tensor) -> Tensor:
    """Audio of given magnitudes with the phases of a complex spectrogram."""
    spectrum = magnitude * phase / (phase.abs() + 1e-9)
    return torch.istft(spectrum, N_FFT, HOP, window=window, center=True, length=samples)
