# SPDX-License-Identifier: GPL-3.0-or-later
"""Short-time magnitudes of clips, as the measures compare them. No torch."""

from __future__ import annotations

import numpy as np


def magnitudes(audio: np.ndarray, n_fft: int, hop: int) -> np.ndarray:
    """|STFT| of samples [..., time] with a periodic Hann window: float64 [..., frames, n_fft / 2 + 1].

    Frame i is centred on sample i * hop, edges reflected; a clip of n samples has 1 + n // hop frames. A sine of
    amplitude 1 has n_fft / 4.

    Raises:
        ValueError: the clip is not longer than half a window, which is what reflecting needs.
    """
    samples = np.asarray(audio, np.float64)
    if samples.shape[-1] <= n_fft // 2:
        raise ValueError(f"a clip of {samples.shape[-1]} samples is too short for a window of {n_fft}: at least "
                         f"{n_fft // 2 + 1} are needed")
    edges = [(0, 0)] * (samples.ndim - 1) + [(n_fft // 2, n_fft // 2)]
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, edges, mode="reflect"), n_fft, axis=-1)
    return np.abs(np.fft.rfft(frames[..., ::hop, :] * np.hanning(n_fft + 1)[:-1]))
