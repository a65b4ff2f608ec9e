# SPDX-License-Identifier: GPL-3.0-or-later
"""Linear prediction: what a sound would go on with, if it went on as it was.

Coefficients are Burg's (J. P. Burg, Maximum Entropy Spectral Analysis, 1975), whose prediction never grows, so that a long
extrapolation dies away instead of blowing up. Used to join restored sound to known sound, and as the classical way of
filling a gap. numpy, float64.
"""

from __future__ import annotations

import numpy as np

_TINY = 1e-30  # a pure tone is predicted with an error of 0, which Burg divides by
_RIDGE = 1e-12  # of the diagonal of Janssen's system, which a long gap makes nearly singular


def burg(samples: np.ndarray, order: int) -> np.ndarray:
    """Coefficients a `[order]` so that x[t] is near sum_k a[k] x[t - 1 - k], from `samples` `[time]`.

    The order is at most a third of the samples; all of them zero gives zeros.
    """
    forward, backward = samples[1:].astype(np.float64), samples[:-1].astype(np.float64)
    error = np.ones(1)  # the prediction error filter 1 - A(z)
    for _ in range(min(order, len(samples) // 3)):
        reflection = -2.0 * (forward @ backward) / (forward @ forward + backward @ backward + _TINY)
        padded = np.append(error, 0.0)
        error = padded + reflection * padded[::-1]
        forward, backward = (forward + reflection * backward)[1:], (backward + reflection * forward)[:-1]
    return -error[1:]


def extrapolate(samples: np.ndarray, n_samples: int, order: int) -> np.ndarray:
    """The next `n_samples` after `samples` `[time]`, predicted by Burg's coefficients of that order (or of less)."""
    coefficients = burg(samples, order)
    reach = len(coefficients)
    if reach == 0:
        return np.zeros(n_samples)
    made = np.concatenate([samples[-reach:].astype(np.float64), np.empty(n_samples)])
    latest_last = coefficients[::-1]
    for t in range(reach, reach + n_samples):
        made[t] = latest_last @ made[t - reach : t]
    return made[reach:]


def interpolate(samples: np.ndarray, unknown: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """`samples` `[time]` with those marked `unknown` (bool `[time]`) replaced so that the prediction error is least.

    Janssen, Veldhuis and Vries 1986, Adaptive interpolation of discrete-time signals that can be modelled as
    autoregressive processes: with the coefficients fixed, a linear system in the unknown samples. Silence lies around the
    samples: give at least as many known ones at both ends as there are coefficients.
    """
    where = np.flatnonzero(unknown)
    if len(where) == 0:
        return samples.astype(np.float64)
    error_filter = np.concatenate([[1.0], -coefficients])
    lags = np.correlate(error_filter, error_filter, "full")[len(error_filter) - 1 :]
    lags = np.append(lags, 0.0)  # read for every distance beyond the order
    far = len(lags) - 1
    known = np.where(unknown, 0.0, samples.astype(np.float64))
    both = np.concatenate([lags[far - 1 : 0 : -1], lags[:far]])
    right = -np.convolve(known, both, "full")[far - 1 : far - 1 + len(known)]
    system = lags[np.minimum(np.abs(where[:, None] - where[None]), far)]
    system[np.diag_indices_from(system)] += _RIDGE * lags[0]
    known[where] = np.linalg.solve(system, right[where])
    return known

