# SPDX-License-Identifier: GPL-3.0-or-later
"""Log-mel spectrograms as the 16 kHz models were trained on them (the Tacotron front end of AudioLDM).

|STFT| with a periodic Hann window of `n_fft`, centred frames with reflected edges, slaney mel bands normalised to unit
area, natural logarithm clamped at 1e-5. Frame i is centred on sample i * hop, and the frame behind the end is dropped.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from server.models.mel_spec import MelSpec

FLOOR = 1e-5


def log_mel(audio: Tensor, spec: MelSpec) -> Tensor:
    """Log-mel frames [batch, time // hop, n_mels] of audio [batch, time], time a multiple of the hop above n_fft / 2.

    Differentiable. Audio is taken as it is: no gain, no removal of the mean.
    """
    assert audio.shape[-1] % spec.hop == 0, "pad to whole frames first"
    window = torch.hann_window(spec.n_fft, device=audio.device)
    spectrum = torch.stft(audio, spec.n_fft, spec.hop, window=window, center=True, pad_mode="reflect", return_complex=True)
    bank = mel_bank(spec).to(torch.float32).to(audio.device)
    mel = torch.matmul(spectrum.abs()[..., :-1].transpose(1, 2), bank)
    return mel.clamp(min=FLOOR).log()


@lru_cache(maxsize=8)
def mel_bank(spec: MelSpec) -> Tensor:
    """Triangular filters [n_fft / 2 + 1, n_mels], float64, slaney scale and area normalisation."""
    bins_hz = torch.linspace(0.0, spec.sample_rate / 2, spec.n_fft // 2 + 1, dtype=torch.float64)
    ends = _slaney_mel(torch.tensor([spec.f_min, spec.f_max], dtype=torch.float64))
    edges = torch.linspace(ends[0].item(), ends[1].item(), spec.n_mels + 2, dtype=torch.float64)
    edges_hz = _slaney_hz(edges)
    rising = (bins_hz[:, None] - edges_hz[None, :-2]) / (edges_hz[1:-1] - edges_hz[:-2])
    falling = (edges_hz[None, 2:] - bins_hz[:, None]) / (edges_hz[2:] - edges_hz[1:-1])
    triangles = torch.minimum(rising, falling).clamp(min=0.0)
    return triangles * (2.0 / (edges_hz[2:] - edges_hz[:-2]))


# The slaney scale: linear up to 1 kHz (15 mel), then 27 mel for every factor of 6.4.
_LINEAR_HZ_PER_MEL = 200.0 / 3.0
_BREAK_HZ, _BREAK_MEL = 1000.0, 15.0
_MEL_PER_LOG = 27.0 / torch.log(torch.tensor(6.4, dtype=torch.float64)).item()


def _slaney_mel(hz: Tensor) -> Tensor:
    logarithmic = _BREAK_MEL + _MEL_PER_LOG * torch.log(hz.clamp(min=1e-9) / _BREAK_HZ)
    return torch.where(hz < _BREAK_HZ, hz / _LINEAR_HZ_PER_MEL, logarithmic)


def _slaney_hz(mel: Tensor) -> Tensor:
    exponential = _BREAK_HZ * torch.exp((mel - _BREAK_MEL) / _MEL_PER_LOG)
    return torch.where(mel < _BREAK_MEL, mel * _LINEAR_HZ_PER_MEL, exponential)
