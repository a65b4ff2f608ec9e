# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a clip, read off the clip itself: where its band ends, where it was cut off, how its noise sounds."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip
from server.errors import InvalidOption
from server.methods.soft_mask import analysed, window_samples

_DROP_DB = 50.0  # under the loudest bin's average level, nothing counts as sound
_QUIET_SHARE = 0.1
_SPREAD, _LEAST_HZ = 2.0**1.5, 250.0
_AT_LEVEL = 0.999
_LEAST_RUN = 3


def band_end_hz(clip: Clip) -> float:
    """Frequency above which the clip's average spectrum lies 50 dB and more below its loudest part.

    Raises:
        InvalidOption: the clip fills its band, so there is nothing to widen.
    """
    level = _average_power(clip)
    heard = np.flatnonzero(level > level.max() * 10 ** (-_DROP_DB / 10))
    end_hz = (heard[-1] + 1) / len(level) * clip.sample_rate / 2
    if end_hz > 0.95 * clip.sample_rate / 2:
        raise InvalidOption(f"The clip's band reaches {end_hz:.0f} Hz, all that its sample rate of {clip.sample_rate} Hz "
                            "holds. Say up to where it can be trusted, as in --cutoff-hz 4000, or resample it to a higher "
                            "rate first.")
    return float(end_hz)


def clip_level(clip: Clip) -> float:
    """The level at which the clip was cut off: its largest sample.

    Raises:
        InvalidOption: fewer than 3 samples in a row lie there, so the clip does not seem to be clipped.
    """
    level = float(np.abs(clip.samples).max())
    at = clipped_samples(clip, level)
    runs = at[:, :-2] & at[:, 1:-1] & at[:, 2:]
    if not runs.any():
        raise InvalidOption(f"No {_LEAST_RUN} samples in a row lie at the clip's largest, {level:g}: it does not seem to "
                            "be clipped. If it was, and its level was changed since, say where, as in --clip-level 0.5.")
    return level


def clipped_samples(clip: Clip, level: float) -> np.ndarray:
    """Which samples lie at the level (within 0.1 %) or beyond, bool [channels, time].

    Raises:
        InvalidOption: none does, or all do.
    """
    found = np.abs(clip.samples) >= _AT_LEVEL * level
    if not found.any() or found.all():
        which = "No sample reaches" if not found.any() else "Every sample reaches"
        raise InvalidOption(f"{which} {level:g}; the clip's largest is {np.abs(clip.samples).max():g}. Give the level at "
                            "which it was cut off.")
    return found


def noise_power(clip: Clip) -> Tensor:
    """Power of the clip's steady noise in every STFT bin, [channels, bins, 1], as `soft_mask.powers` counts it.

    Of each bin the level that a tenth of its frames stay below: of Gaussian noise, whose power is distributed
    exponentially, that is -ln 0.9 of its mean. Then the median over an octave and a half to each side: noise is spread
    wide, and tones and sounds that never pause are less so. It is taken of a spectrum that has been tilted by 3 dB an
    octave, halfway between white noise and rumble. A clip that never falls silent is still taken to be noisier than it
    is, and a hum of single tones is not found.
    """
    quiet = inner_power(clip).quantile(_QUIET_SHARE, dim=-1) / -np.log(1 - _QUIET_SHARE)
    n_bins, bin_hz = quiet.shape[-1], clip.sample_rate / window_samples(clip.sample_rate)
    tilt = (torch.arange(n_bins) + _LEAST_HZ / bin_hz).sqrt()
    level = []
    for k in range(n_bins):
        low, high = k / _SPREAD - _LEAST_HZ / bin_hz, k * _SPREAD + _LEAST_HZ / bin_hz
        near = slice(max(0, int(low)), min(n_bins, int(high) + 1))
        level.append((quiet[:, near] * tilt[near]).median(dim=-1).values / tilt[k])
    return torch.stack(level, dim=-1)[..., None]


def per_sample(noise: Tensor, sample_rate: int) -> Tensor:
    """Noise powers of STFT bins [..., bins, 1] as `operators.shaped_noise` takes them, [bins]: the channels' mean."""
    window = torch.hann_window(window_samples(sample_rate))
    return noise[..., 0].reshape(-1, noise.shape[-2]).mean(0) / window.square().sum()


def _average_power(clip: Clip) -> np.ndarray:
    return inner_power(clip).mean((0, -1)).numpy()


def inner_power(clip: Clip) -> Tensor:
    """Squared STFT magnitudes without the frames that hear the edges to the silence around the clip."""
    found = analysed(clip).abs().square()
    return found[..., 2:-2] if found.shape[-1] > 8 else found
