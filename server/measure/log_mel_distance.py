# SPDX-License-Identifier: GPL-3.0-or-later
"""How far two clips are in log-mel: what is heard of a rebuilt sound when its phase does not count."""

from __future__ import annotations

import numpy as np
import torch

from server.models.mel import log_mel
from server.models.mel_spec import MelSpec

WINDOW_S, HOP_S = 0.064, 0.016
BELOW_PEAK_DB = 80.0


def log_mel_distance(estimate: np.ndarray, target: np.ndarray, sample_rate: int, *, n_mels: int = 64) -> np.ndarray:
    """Mean absolute difference of log-mels, nat (1 nat is 8.7 dB of magnitude), float64.

    The window is the power of two nearest to 64 ms, the hop 16 ms; `n_mels` bands reach up to half the rate. What lies
    more than 80 dB below the target's loudest mel counts as if it lay there, for both, so that a recording's noise floor
    does not rule. Level counts.

    Args:
        estimate, target: samples [..., time]; every leading index is a clip for itself.

    Returns:
        [...], 0 for the same clip.

    Raises:
        ValueError: the two differ in shape.
    """
    e, t = (np.asarray(x, np.float32) for x in (estimate, target))
    if e.shape != t.shape:
        raise ValueError(f"the estimate is {e.shape} and the target {t.shape}; give clips of one shape [..., time]")
    spec = _spec(sample_rate, n_mels)
    made, real = (_frames(x.reshape(-1, x.shape[-1]), spec) for x in (e, t))
    floor = real.amax((1, 2), keepdim=True) - BELOW_PEAK_DB / 20.0 * np.log(10.0)
    distance = (made.maximum(floor) - real.maximum(floor)).abs().mean((1, 2))
    return distance.numpy().astype(np.float64).reshape(e.shape[:-1])


def _spec(sample_rate: int, n_mels: int) -> MelSpec:
    n_fft = 2 ** round(np.log2(WINDOW_S * sample_rate))
    return MelSpec(sample_rate, n_fft, round(HOP_S * sample_rate), n_mels, 0.0, sample_rate / 2)


def _frames(samples: np.ndarray, spec: MelSpec) -> torch.Tensor:
    """Log-mel of [clips, time], the end filled with silence to a whole frame."""
    short = max(-samples.shape[1] % spec.hop, spec.n_fft - samples.shape[1])
    short += -(samples.shape[1] + short) % spec.hop
    return log_mel(torch.from_numpy(np.pad(samples, ((0, 0), (0, short)))), spec)
