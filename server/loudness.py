# SPDX-License-Identifier: GPL-3.0-or-later
"""How loud a signal is: gated K-weighted loudness (ITU-R BS.1770-4) and true peak by fourfold oversampling.

The K-weighting is applied in the frequency domain: both biquads have rung out by far within half a second, so half a
second of zeros keeps the circular convolution linear. The coefficients follow the sample rate.
"""

from __future__ import annotations

import math

import numpy as np
import soxr

_BLOCK_S = 0.4
_HOP_S = 0.1
_ABSOLUTE_GATE_LKFS = -70.0
_RELATIVE_GATE_LU = -10.0
_OFFSET_DB = -0.691
_RING_S = 0.5
_OVERSAMPLING = 4
_PEAK_BLOCK = 1 << 18

# Analogue prototypes of the two stages of BS.1770-4 table 1 and 2; at 48 kHz they give the printed coefficients.
_SHELF_HZ, _SHELF_DB, _SHELF_Q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
_HIGHPASS_HZ, _HIGHPASS_Q = 38.13547087602444, 0.5003270373238773


def gated_loudness_lkfs(samples: np.ndarray, sample_rate: int) -> float:
    """Integrated loudness of one or two channels, BS.1770-4 with both gates.

    Args:
        samples: `[channels, time]`, full scale 1.
        sample_rate: Hz.

    Returns:
        LKFS (= LUFS); -inf where nothing passes the gate of -70. A signal shorter than one 0.4 s block is one block.
    """
    power = _block_power(samples, sample_rate)
    power = power[_lkfs(power) > _ABSOLUTE_GATE_LKFS]
    if not power.size:
        return -math.inf
    threshold = float(_lkfs(power.mean())) + _RELATIVE_GATE_LU
    return float(_lkfs(power[_lkfs(power) > threshold].mean()))


def ungated_loudness_lkfs(samples: np.ndarray, sample_rate: int) -> float:
    """K-weighted level over the whole signal, without gates; -inf for silence. Arguments as `gated_loudness_lkfs`."""
    return float(_lkfs(np.square(_k_weight(samples, sample_rate)).mean(axis=1).sum()))


def true_peak_dbfs(samples: np.ndarray, sample_rate: int) -> float:
    """Peak of the reconstructed waveform in dBTP (BS.1770-4 annex 2); -inf for silence.

    Args:
        samples: `[channels, time]`, full scale 1.
        sample_rate: Hz.
    """
    peak = float(np.abs(samples).max())
    for channel in samples:
        stream = soxr.ResampleStream(sample_rate, _OVERSAMPLING * sample_rate, 1, dtype="float32", quality="HQ")
        for start in range(0, channel.size, _PEAK_BLOCK):
            last = start + _PEAK_BLOCK >= channel.size
            block = stream.resample_chunk(np.ascontiguousarray(channel[start:start + _PEAK_BLOCK]), last=last)
            peak = max(peak, float(np.abs(block).max(initial=0.0)))
    return 20.0 * math.log10(peak) if peak > 0.0 else -math.inf


def _block_power(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Mean square summed over channels, for each 0.4 s block at 75 % overlap: `[blocks]`."""
    squares = np.square(_k_weight(samples, sample_rate)).sum(axis=0)
    block, hop = round(_BLOCK_S * sample_rate), round(_HOP_S * sample_rate)
    if squares.size < block:
        return squares.mean(keepdims=True)
    running = np.concatenate([[0.0], np.cumsum(squares)])
    starts = np.arange(0, squares.size - block + 1, hop)
    return np.maximum(running[starts + block] - running[starts], 0.0) / block


def _k_weight(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    n_samples = samples.shape[1]
    n_fft = 1 << (n_samples + round(_RING_S * sample_rate) - 1).bit_length()
    delay = np.exp(-2j * np.pi * np.arange(n_fft // 2 + 1) / n_fft)
    response = _shelf_response(delay, sample_rate) * _highpass_response(delay, sample_rate)
    return np.stack([np.fft.irfft(np.fft.rfft(channel.astype(np.float64), n_fft) * response, n_fft)[:n_samples]
                     for channel in samples])


def _shelf_response(delay: np.ndarray, sample_rate: int) -> np.ndarray:
    k = math.tan(math.pi * _SHELF_HZ / sample_rate)
    high = 10.0 ** (_SHELF_DB / 20.0)
    band = high**0.4996667741545416
    b = (high + band * k / _SHELF_Q + k * k, 2.0 * (k * k - high), high - band * k / _SHELF_Q + k * k)
    a = (1.0 + k / _SHELF_Q + k * k, 2.0 * (k * k - 1.0), 1.0 - k / _SHELF_Q + k * k)
    return _biquad(b, a, delay)


def _highpass_response(delay: np.ndarray, sample_rate: int) -> np.ndarray:
    k = math.tan(math.pi * _HIGHPASS_HZ / sample_rate)
    a0 = 1.0 + k / _HIGHPASS_Q + k * k
    a = (1.0, 2.0 * (k * k - 1.0) / a0, (1.0 - k / _HIGHPASS_Q + k * k) / a0)
    return _biquad((1.0, -2.0, 1.0), a, delay)


def _biquad(b: tuple[float, float, float], a: tuple[float, float, float], delay: np.ndarray) -> np.ndarray:
    return (b[0] + delay * (b[1] + delay * b[2])) / (a[0] + delay * (a[1] + delay * a[2]))


def _lkfs(power: np.ndarray | float) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return _OFFSET_DB + 10.0 * np.log10(power)
