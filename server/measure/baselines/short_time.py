# SPDX-License-Identifier: GPL-3.0-or-later
"""Short-time spectra there and back again, as the baselines change them."""

from __future__ import annotations

import numpy as np


def analyse(samples: np.ndarray, n_fft: int, hop: int) -> np.ndarray:
    """Complex `[..., frames, bins]` of samples `[..., time]`: root-Hann windows, centred, silence around the clip.

    n_fft is a multiple of 2 hop.
    """
    padded = np.pad(samples, [(0, 0)] * (samples.ndim - 1) + [(n_fft, n_fft)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft, axis=-1)[..., ::hop, :]
    return np.fft.rfft(frames * _window(n_fft))


def synthesise(spectrum: np.ndarray, n_fft: int, hop: int, n_samples: int) -> np.ndarray:
    """Samples `[..., n_samples]` of what `analyse` gave, exactly if it was not changed."""
    frames = np.fft.irfft(spectrum, n_fft) * _window(n_fft) * (2 * hop / n_fft)
    made = np.zeros((*spectrum.shape[:-2], n_samples + 2 * n_fft + hop))
    for number in range(frames.shape[-2]):
        made[..., number * hop : number * hop + n_fft] += frames[..., number, :]
    return made[..., n_fft : n_fft + n_samples]


def _window(n_fft: int) -> np.ndarray:
    return np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft))
