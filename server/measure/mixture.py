# SPDX-License-Identifier: GPL-3.0-or-later
"""How far is a sound from everything that a mixing desk could make of two others? The best magnitude mix, and what is left.

Sounds are compared as log-mels (natural logarithm of mel magnitudes, 64 bands up to 16 kHz, a frame every 20 ms), nothing
counting that lies more than 60 dB below a sound's loudest point. A magnitude mix of `a` and `b` is `g (cos(r) |a| +
sin(r) |b|)`: two faders, as a gain g and a ratio r. The best one is the nearest to the sound in question, in mean absolute
difference (nat). It is found exactly for every ratio of a fine grid: the best gain is then the median difference.

`by_band` gives every band its own two faders, which is a mix with two free equalisers; `whole` has two faders in all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from server.audio import Clip, fold_mono, resample
from server.models.mel import MelSpec, log_mel

SPEC = MelSpec(sample_rate=32000, n_fft=2048, hop=640, n_mels=64, f_max=16000.0)
FLOOR_NAT = 60.0 / (20.0 / math.log(10.0))
_RATIO_DB = 60.0
_RATIOS = 49


@dataclass(frozen=True)
class Left:
    """What the best mix leaves of a sound, in nat: with a pair of faders for every band, and with one pair in all."""

    by_band: float
    whole: float


def heard(clip: Clip) -> Tensor:
    """Log-mel [frames, bands] of a clip, folded to mono, at peak 1, floored 60 dB below its loudest point."""
    mono = torch.from_numpy(resample(fold_mono(clip), SPEC.sample_rate).samples)
    mono = mono[:, : mono.shape[1] // SPEC.hop * SPEC.hop]
    mono = mono / mono.abs().max().clamp(min=1e-9)  # well above the floor of `log_mel`, whatever the gain
    mel = log_mel(mono, SPEC)[0]
    return mel.clamp(min=float(mel.max()) - FLOOR_NAT)


def left_by_best_mix(sound: Tensor, a: Tensor, b: Tensor) -> Left:
    """What the best magnitude mix of `a` and `b` leaves of `sound`; log-mels [frames, bands] as `heard` gives them.

    0 for `a`, for `b`, at any gain, and for every sum of their magnitudes.
    """
    db = torch.linspace(-_RATIO_DB, _RATIO_DB, _RATIOS)
    ratios = torch.atan(10.0 ** (db / 20.0))
    # Magnitudes relative to each sound's own loudest point, so that a ratio means the same for every pair.
    log_cos, log_sin = ratios.cos().log()[:, None, None], ratios.sin().log()[:, None, None]
    mixes = torch.logaddexp(a - a.max() + log_cos, b - b.max() + log_sin)  # [ratios, frames, bands]
    alone = torch.stack([a - a.max(), b - b.max()])
    difference = sound - torch.cat([mixes, alone])
    by_band = (difference - difference.median(dim=1, keepdim=True).values).abs().mean(dim=1)  # [mixes, bands]
    flat = difference.flatten(1)
    whole = (flat - flat.median(dim=1, keepdim=True).values).abs().mean(dim=1)
    return Left(float(by_band.amin(dim=0).mean()), float(whole.amin()))
