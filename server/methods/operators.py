# SPDX-License-Identifier: GPL-3.0-or-later
"""Measurement operators: what a restoration knows about the clip is T of the sound that it looks for.

Each is a differentiable function of a waveform [batch, channels, time] at the model's rate, or of the magnitudes of one.
They are fixed: the same T made, or describes, the measurement and guides the model (DiffMusic's public code draws a new
room at every call, papers.md 4.3).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Operator = Callable[[Tensor], Tensor]

_FLOOR = 1e-7  # magnitude under which a bin has no phase to follow


def nothing(audio: Tensor) -> Tensor:
    """The clip itself is what was measured."""
    return audio


def masked(mask: Tensor) -> Operator:
    """Inpainting (eq. 7 and 8): samples times a mask [time], 1 where they are known and 0 in a gap."""
    return lambda audio: audio * mask.to(audio)


def low_passed(kernel: Tensor, factor: int = 1) -> Operator:
    """Super-resolution: a centred linear-phase kernel [odd], then every `factor`-th sample.

    Equation 9 decimates without a filter, so that what is above the new half rate folds down; a recording that lost its
    top did not. At a factor of 1 the rate stays, which leaves the same information.
    """
    half = len(kernel) // 2

    def measure(audio: Tensor) -> Tensor:
        return _convolution(audio, kernel, half)[..., ::factor]

    return measure


def reverberated(response: Tensor) -> Operator:
    """Dereverberation (eq. 15): convolution with a causal response [n], direct sound first, cut to the clip's length."""
    return lambda audio: _convolution(audio, response, 0)


def magnitude(n_fft: int, hop: int) -> Operator:
    """Phase retrieval (eq. 11): STFT magnitudes [batch, channels, bins, frames], periodic Hann window, centred frames.

    The public code gives no window, which is a rectangular one. Differentiable at silence too.
    """

    def measure(audio: Tensor) -> Tensor:
        return (power(audio, n_fft, hop) + _FLOOR**2).sqrt()

    return measure


def power(audio: Tensor, n_fft: int, hop: int) -> Tensor:
    """Squared STFT magnitudes [..., bins, frames] of [..., time]: periodic Hann window, centred, silence around it."""
    window = torch.hann_window(n_fft, device=audio.device)
    flat = audio.reshape(-1, audio.shape[-1])
    spectrum = torch.stft(flat, n_fft, hop, window=window, center=True, pad_mode="constant", return_complex=True)
    return torch.view_as_real(spectrum).square().sum(-1).reshape(*audio.shape[:-1], *spectrum.shape[-2:])


def summed(count: int) -> Operator:
    """Separation (eq. 12): each `count` neighbouring items of the batch add up; [n * count, ...] to [n, ...].

    The paper's weights sum to one (eq. 13); with weights of 1 the stems come back at their own level.
    """
    return lambda audio: audio.reshape(-1, count, *audio.shape[1:]).sum(1)


def noised(noise: Tensor) -> Operator:
    """Denoising: one fixed noise [channels or 1, time] is added; its spectrum is what counts, under a mel constraint."""
    return lambda audio: audio + noise.to(audio)


def clipped(level: float) -> Operator:
    """Declipping: samples beyond `level` on either side are held there; what lies beyond moves nothing."""
    return lambda audio: audio.clamp(-level, level)


def shaped_noise(spectrum: Tensor, n_samples: int, seed: int) -> Tensor:
    """Stationary Gaussian noise [n_samples] whose power at evenly spaced frequencies from 0 to half the rate is `spectrum`.

    `spectrum` [bins] is squared magnitude per sample of the noise (a white noise of deviation s has s^2 everywhere).
    """
    generator = torch.Generator().manual_seed(seed)
    size = 2 * (n_samples // 2 + 1)
    white = torch.fft.rfft(torch.randn(size, generator=generator))
    wanted = torch.nn.functional.interpolate(spectrum[None, None].cpu().float(), len(white), mode="linear",
                                             align_corners=True)[0, 0]
    return torch.fft.irfft(white * wanted.sqrt(), size)[:n_samples]


def _convolution(audio: Tensor, kernel: Tensor, start: int) -> Tensor:
    """`audio` [..., time] through `kernel` [n] by FFT, from sample `start` on, as long as it was; float32."""
    n = audio.shape[-1]
    size = 1 << math.ceil(math.log2(n + len(kernel)))
    # Cast before moving: some devices have no float64 at all.
    product = torch.fft.rfft(audio, size) * torch.fft.rfft(kernel.to(audio.dtype).to(audio.device), size)
    return torch.fft.irfft(product, size)[..., start : start + n]
