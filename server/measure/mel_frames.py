# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips of any rate and length made alike, to be compared or judged: 32 kHz, mono, one length, one peak; and log-mels of
them, four frames averaged. The same for every model.

A model of a lower rate has nothing in the upper bands, as many recordings have.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from server.audio import Clip, fold_mono, resample
from server.models.embedded.format import SPEC
from server.models.mel import log_mel

POOL = 4
SECONDS = 5.12
N_SAMPLES = round(SECONDS * SPEC.sample_rate)
N_FRAMES = N_SAMPLES // SPEC.hop // POOL
_GAP_S = 0.25


def audio_of(clips: Iterable[Clip], n_samples: int = N_SAMPLES) -> Tensor:
    """Clips of any rate and length as `[clips, n_samples]` at 32 kHz, mono, without mean, at peak 0.5.

    A longer clip is cut; a shorter one is heard again after a quarter of a second, as often as it fits.
    """
    rows = [filled(resample(fold_mono(clip), SPEC.sample_rate).samples[0], n_samples) for clip in clips]
    audio = torch.from_numpy(np.stack(rows)) if rows else torch.zeros(0, n_samples)
    audio = audio - audio.mean(1, keepdim=True)
    return audio * (0.5 / (audio.abs().amax(1, keepdim=True) + 1e-6))


def filled(samples: np.ndarray, n_samples: int, sample_rate: int = SPEC.sample_rate) -> np.ndarray:
    """Samples [time] repeated with a quarter of a second between, and cut, to `n_samples`; float32."""
    period = len(samples) + round(_GAP_S * sample_rate)
    times = max(1, -(-n_samples // period))
    padded = np.pad(samples.astype(np.float32), (0, period - len(samples)))
    return np.tile(padded, times)[:n_samples] if len(samples) < n_samples else samples[:n_samples].astype(np.float32)


@torch.no_grad()
def mel_frames(audio: Tensor, chunk: int = 16) -> Tensor:
    """Log-mels of audio `[clips, samples]` at 32 kHz, four frames averaged: `[clips, samples // 1280, 64]`."""
    parts = [F.avg_pool1d(log_mel(part, SPEC).transpose(1, 2), POOL).transpose(1, 2) for part in audio.split(chunk)]
    return torch.cat(parts) if parts else torch.zeros(0, audio.shape[1] // SPEC.hop // POOL, SPEC.n_mels)


def of_clips(clips: Iterable[Clip], n_samples: int = N_SAMPLES) -> Tensor:
    """`mel_frames` of clips as `audio_of` gives them."""
    return mel_frames(audio_of(clips, n_samples))
