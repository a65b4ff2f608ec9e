# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a vocoder's sound to the mel that it was asked for: a gain for every band at every time.

A small vocoder gives good phases sooner than good levels. What it was asked for is known, so the levels can be set right
afterwards, while pitch, phase and everything finer than a mel band stay the vocoder's own. Where it has nothing to say
(wind, rain, breath: a network without chance makes a buzz of the frame rate of them), a floor of noise shaped by the same
mel takes its place: what is louder of the two there is what the gains bring to its level.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from server.models.mel import MelSpec, mel_bank

LOWEST, HIGHEST = 1e-3, 30.0  # gain of one pass: -60 to +30 dB
PULL = 0.5  # of a smoothing pass, between the spectrum as it is (0) and the plainest one of that mel (1, Griffin and Lim's)
MOMENTUM = {True: 0.99, False: 0.7}  # of smoothing passes and of others: how far one goes on in the direction of the last
FAINTEST = 1e-5  # magnitude of a bin below which it counts as silent: a twentieth of that of a mel at its floor


def toward_mel(audio: Tensor, wanted: Tensor, spec: MelSpec, n_passes: int, n_smoothing: int = 0) -> Tensor:
    """Audio [batch, frames * hop] whose log-mel is nearer to `wanted` [batch, frames, n_mels] with every pass.

    Each pass scales the short-time spectrum by the ratio of the wanted mel to the present one, spread from the bands to
    the bins; overlapping frames make that inexact, so it is worth repeating: the first few passes do most. `n_smoothing`
    passes before them also draw each bin to the magnitude that the mel alone suggests, as Griffin and Lim's iterations
    do, which makes neighbouring frames agree on their phases. Differentiable.
    """
    assert audio.shape[-1] == wanted.shape[1] * spec.hop, "one hop of audio per frame"
    bank, spread, inverse = (matrix.to(audio.device) for matrix in _matrices(spec))
    level, before = wanted.exp(), None
    plain = (level @ inverse).clamp(min=FAINTEST).log() if n_smoothing else None
    for number in range(n_smoothing + n_passes):
        smoothing = number < n_smoothing
        now = _spectrum(audio, spec)
        spectrum = now if before is None else now + MOMENTUM[smoothing] * (now - before)
        magnitude = spectrum.abs().transpose(1, 2)
        gain = (level / (magnitude @ bank).clamp(min=1e-6)).clamp(LOWEST, HIGHEST).log() @ spread
        if smoothing:
            gain = torch.lerp(gain, plain - magnitude.clamp(min=FAINTEST).log(), PULL)
        audio, before = _audio(spectrum * gain.exp().transpose(1, 2), spec), now if number else None  # the first leaps
    return audio


def shaped_noise(noise: Tensor, wanted: Tensor, spec: MelSpec) -> Tensor:
    """White noise [batch, frames * hop] of unit deviation, filtered to about the log-mel `wanted` [batch, frames, n_mels].

    A batch of one serves all of `wanted`. Differentiable in `wanted`.
    """
    bank, spread, _ = (matrix.to(noise.device) for matrix in _matrices(spec))
    expected = math.sqrt(math.pi / 4 * 0.375 * spec.n_fft)  # mean magnitude of a bin under a Hann window
    level = ((wanted - (expected * bank.sum(0)).log()) @ spread).exp() * (spread.sum(0) > 0)
    return _audio(_spectrum(noise, spec) * level.transpose(1, 2), spec)


def seeded_noise(n_samples: int, device: torch.device, seed: int = 0) -> Tensor:
    """White noise [1, n_samples], always the same for a seed: one latent is one sound."""
    return torch.randn(1, n_samples, generator=torch.Generator().manual_seed(seed)).to(device)


def _spectrum(audio: Tensor, spec: MelSpec) -> Tensor:
    window = torch.hann_window(spec.n_fft, device=audio.device)
    return torch.stft(audio, spec.n_fft, spec.hop, window=window, center=True, return_complex=True)[..., :-1]


def _audio(spectrum: Tensor, spec: MelSpec) -> Tensor:
    window = torch.hann_window(spec.n_fft, device=spectrum.device)
    return torch.istft(spectrum, spec.n_fft, spec.hop, window=window, center=True, length=spectrum.shape[-1] * spec.hop)


@lru_cache(maxsize=8)
def _matrices(spec: MelSpec) -> tuple[Tensor, Tensor, Tensor]:
    """The mel bank [bins, n_mels], each band's part in each bin [n_mels, bins], and the pseudo-inverse of the bank.

    Bins of no band have no part and keep their level.
    """
    bank = mel_bank(spec).float()
    total = bank.sum(1, keepdim=True)
    part = torch.where(total > 1e-8, bank / total.clamp(min=1e-8), 0.0).T.contiguous()
    return bank, part, torch.linalg.pinv(bank)
