# SPDX-License-Identifier: GPL-3.0-or-later
"""Lessons changed as other rooms, microphones, rates, company and vocoders would change them.

A changed lesson is made from its log-mel by a few rounds of Griffin-Lim, and so lacks what a mel does not hold, as the
clips of any mel model do: a judge that has learned from such lessons too does not take that for another sound.
"""

from __future__ import annotations

import torch
from torch import Tensor

from server.measure.griffin_lim import from_mel
from server.measure.mel_frames import N_SAMPLES, SPEC
from server.models.mel import FLOOR, log_mel, mel_bank

ROUNDS = 4  # of Griffin-Lim
_FLOOR = torch.tensor(FLOOR).log().item()


def disturbed(audio: Tensor, generator: torch.Generator) -> Tensor:
    """Audio `[clips, N_SAMPLES]` at peak 0.5 of lessons `[clips, samples]` at 32 kHz, as long or longer.

    Start, pitch by up to two bands, colour, grain, floor, upper limit of the band, and a faint other lesson behind it.
    """
    n = len(audio)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, 1, 1, generator=generator)

    cut = _shifted(log_mel(_from_anywhere(audio, generator), SPEC), generator)
    colour = uniform(-1.2, 1.2) * torch.linspace(-1, 1, SPEC.n_mels)
    bump = uniform(-1.0, 1.0) * torch.exp(-0.5 * ((torch.arange(SPEC.n_mels) - uniform(0, 63)) / 6) ** 2)
    grain = uniform(0, 0.4) * torch.randn(cut.shape, generator=generator)
    made = cut + colour + bump + grain
    behind = cut[torch.randperm(n, generator=generator)] - uniform(2.0, 9.0)
    made = torch.where(uniform(0, 1) < 0.25, torch.logaddexp(made, behind), made)
    limit_hz = torch.where(uniform(0, 1) < 0.5, 16000.0, torch.exp(uniform(8.15, 9.68)))  # 3.5 to 16 kHz
    made = torch.where(_band_hz() > limit_hz, _FLOOR, made)
    made = torch.maximum(made, uniform(_FLOOR, _FLOOR + 4.0))
    sound = from_mel(made, SPEC, ROUNDS, seed=int(torch.randint(0, 2**31, (1,), generator=generator)))
    return sound * (0.5 / (sound.abs().amax(1, keepdim=True) + 1e-6))


def _from_anywhere(audio: Tensor, generator: torch.Generator) -> Tensor:
    """A stretch of `N_SAMPLES` of each."""
    start = torch.randint(0, audio.shape[1] - N_SAMPLES + 1, (len(audio), 1), generator=generator)
    return audio.gather(1, start + torch.arange(N_SAMPLES))


def _shifted(mels: Tensor, generator: torch.Generator) -> Tensor:
    """The bands of each moved by up to two."""
    shift = torch.randint(-2, 3, (len(mels), 1), generator=generator)
    bands = (shift + torch.arange(SPEC.n_mels)).clamp(0, SPEC.n_mels - 1)
    return mels.gather(2, bands[:, None, :].expand(mels.shape))


def _band_hz() -> Tensor:
    """Centre of each mel band, Hz."""
    hz = torch.linspace(0, SPEC.sample_rate / 2, SPEC.n_fft // 2 + 1)
    return hz[mel_bank(SPEC).argmax(0)]
