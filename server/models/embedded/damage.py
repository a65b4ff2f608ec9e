"""Damages of whole clips that restoration undoes: muffled, through a telephone, clipped, noisy, in a large hall.

Words for each are in `vocabulary.DAMAGES`; what is done to a clip is always said in its caption.
"""

import torch
from torch import Tensor

from .format import SAMPLE_RATE
from .vocabulary import DAMAGES

KINDS = tuple(DAMAGES)


def _filtered(clips: Tensor, low_hz: Tensor | float, high_hz: Tensor | float) -> Tensor:
    """Between `low_hz` and `high_hz`, with slopes of about 24 dB per octave."""
    size = clips.shape[-1]
    hz = torch.fft.rfftfreq(size, 1 / SAMPLE_RATE, device=clips.device).clamp(min=1.0)
    gain = 1 / (1 + (hz / high_hz) ** 4) / (1 + (low_hz / hz) ** 4)
    return torch.fft.irfft(torch.fft.rfft(clips) * gain, size)


def _clipped(clips: Tensor, amount: Tensor) -> Tensor:
    """Driven 6 to 30 dB into a hard ceiling."""
    drive = 10 ** ((6 + 24 * amount) / 20)
    return (clips / (clips.abs().amax(1, keepdim=True) + 1e-6) * drive).clamp(-1, 1)


def _noisy(clips: Tensor, amount: Tensor, generator: torch.Generator) -> Tensor:
    """With falling noise at 18 to 3 dB below the clip's own level."""
    noise = torch.randn(clips.shape, device=clips.device, generator=generator)
    hz = torch.fft.rfftfreq(clips.shape[-1], 1 / SAMPLE_RATE, device=clips.device).clamp(min=60.0)
    noise = torch.fft.irfft(torch.fft.rfft(noise) * hz ** (-0.5 * amount), clips.shape[-1])
    level = clips.square().mean(1, keepdim=True).sqrt() / (noise.square().mean(1, keepdim=True).sqrt() + 1e-9)
    return clips + noise * level * 10 ** (-(18 - 15 * amount) / 20)


def _hall(clips: Tensor, amount: Tensor, generator: torch.Generator) -> Tensor:
    """Mostly the tail of a room of 2 to 5 seconds."""
    n = clips.shape[-1]
    time = torch.arange(n, device=clips.device) / SAMPLE_RATE
    tail = torch.randn(clips.shape, device=clips.device, generator=generator) * torch.exp(-6.91 * time / (2 + 3 * amount))
    tail = _filtered(tail / tail.square().sum(1, keepdim=True).sqrt(), 60.0, 5000.0)
    wet = torch.fft.irfft(torch.fft.rfft(clips, 2 * n) * torch.fft.rfft(tail, 2 * n), 2 * n)[:, :n]
    return 0.3 * clips + (0.7 + amount) * wet


def damage(clips: Tensor, kind: str, amount: Tensor, generator: torch.Generator) -> Tensor:
    """Clips `[batch, samples]` after one of `KINDS`, each by its `amount` `[batch, 1]` from 0 (light) to 1 (heavy)."""
    if kind == "muffled":
        return _filtered(clips, 1.0, 4000 * 4.0**-amount)
    if kind == "telephone":
        return _filtered(clips, 300 + 200 * amount, 3400 - 600 * amount)
    if kind == "clipped":
        return _clipped(clips, amount)
    if kind == "noisy":
        return _noisy(clips, amount, generator)
    if kind == "hall":
        return _hall(clips, amount, generator)
    raise ValueError(f"A damage is one of {', '.join(KINDS)}, not {kind!r}.")
