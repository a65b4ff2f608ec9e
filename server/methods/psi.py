# SPDX-License-Identifier: GPL-3.0-or-later
"""The vocoder mel-spectrogram constraint (DiffMusic, VMC): measurements are compared as mel spectrograms in dB.

A vocoder invents phases, so the waveforms of two equal sounds need not agree; their mels do. psi is applied behind the
operator, to T(x) and to y alike, as the public code has it (the paper prints it before, T(psi(x)), which no operator on a
waveform could follow).

The parameters: windows of 64 ms (periodic Hann), a frame every 10 ms, 64 mel bands from 0 to half the rate, power, 10
log10. At 16 kHz these are the paper's 1024 and 160. Two differ. The bands are slaney's, as in the models, where the public
code has HTK's; they differ little. And a soft floor 60 dB below the measurement's loudest band takes the place of the
clamp to +-80 dB, under which a gradient is zero: what is inaudible is compared as what it is, nearly nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from server.methods.operators import power
from server.models.mel import mel_bank
from server.models.mel_spec import MelSpec

Psi = Callable[[Tensor], Tensor]

WINDOW_S, HOP_S, N_MELS = 0.064, 0.01, 64
FLOOR_DB = -60.0


def mel_spec(sample_rate: int) -> MelSpec:
    """The mel of the constraint at this rate."""
    n_fft = 2 * round(WINDOW_S * sample_rate / 2)
    return MelSpec(sample_rate, n_fft, round(HOP_S * sample_rate), N_MELS, 0.0, sample_rate / 2)


@dataclass(frozen=True)
class MelDb:
    """Mel spectrogram in dB, [..., n_mels, frames], of a waveform [..., time]. floor: power that is added to every band."""

    spec: MelSpec
    floor: float

    @classmethod
    def of(cls, measurement: Tensor, sample_rate: int) -> MelDb:
        """The constraint for this measured waveform: its loudest band sets the floor."""
        spec = mel_spec(sample_rate)
        loudest = float(_mel(power(measurement, spec.n_fft, spec.hop), spec).max())
        return cls(spec, max(loudest, 1e-12) * 10 ** (FLOOR_DB / 10))

    def __call__(self, audio: Tensor) -> Tensor:
        return self._db(_mel(power(audio, self.spec.n_fft, self.spec.hop), self.spec))

    def _db(self, mel: Tensor) -> Tensor:
        return 10.0 * torch.log10(mel + self.floor)


@dataclass(frozen=True)
class MagnitudeDb:
    """The same for a measurement that is STFT magnitudes already, [..., bins, frames]: their power in mel bands, in dB."""

    spec: MelSpec
    floor: float

    @classmethod
    def of(cls, magnitude: Tensor, sample_rate: int, hop: int) -> MagnitudeDb:
        """The constraint for these magnitudes, of windows of 2 (bins - 1) samples, a frame every `hop`."""
        spec = MelSpec(sample_rate, 2 * (magnitude.shape[-2] - 1), hop, N_MELS, 0.0, sample_rate / 2)
        loudest = float(_mel(magnitude.square(), spec).max())
        return cls(spec, max(loudest, 1e-12) * 10 ** (FLOOR_DB / 10))

    def __call__(self, magnitude: Tensor) -> Tensor:
        return 10.0 * torch.log10(_mel(magnitude.square(), self.spec) + self.floor)


def _mel(power_spectrum: Tensor, spec: MelSpec) -> Tensor:
    """Power in mel bands [..., n_mels, frames] of squared magnitudes [..., bins, frames]."""
    bank = mel_bank(spec).to(torch.float32).to(power_spectrum.device)
    return torch.matmul(bank.T, power_spectrum)
