# SPDX-License-Identifier: GPL-3.0-or-later
"""Griffin-Lim: a sound of given short-time magnitudes, its phases made consistent step by step.

The fast variant of Perraudin, Balazs and Sondergaard 2013 (algorithm 2), `momentum` being its alpha. Periodic Hann windows,
frames centred, float32.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


def spectrum(audio: Tensor, n_fft: int, hop: int) -> Tensor:
    """Complex STFT `[..., bins, n_samples // hop + 1]` of audio `[..., n_samples]`, silence around it."""
    window = torch.hann_window(n_fft, device=audio.device)
    return torch.stft(audio, n_fft, hop, window=window, center=True, pad_mode="constant", return_complex=True)


def sound(transform: Tensor, n_fft: int, hop: int, n_samples: int) -> Tensor:
    """Audio `[..., n_samples]` of such an STFT, consistent or not."""
    window = torch.hann_window(n_fft, device=transform.device)
    return torch.istft(transform, n_fft, hop, window=window, center=True, length=n_samples)


def griffin_lim(magnitude: Tensor, start: Tensor, n_fft: int, hop: int, n_samples: int, n_iterations: int,
                momentum: float = 0.99) -> Iterator[Tensor]:
    """Audio `[..., n_samples]` of those magnitudes: first with the phases of `start`, then after each iteration.

    Args:
        magnitude: `[..., bins, frames]`, not negative.
        start: complex, of the same shape; only its phase is used.
    """
    estimate, before = start, None
    audio = _inverse(magnitude, estimate, n_fft, hop, n_samples)
    yield audio
    for _ in range(n_iterations):
        now = spectrum(audio, n_fft, hop)[..., :magnitude.shape[-1]]
        estimate = now if before is None else now + momentum * (now - before)
        before = now
        audio = _inverse(magnitude, estimate, n_fft, hop, n_samples)
        yield audio


def _inverse(magnitude: Tensor, phase: Tensor, n_fft: int, hop: int, n_samples: int) -> Tensor:
    return sound(magnitude * phase / (phase.abs() + 1e-9), n_fft, hop, n_samples)
