# SPDX-License-Identifier: GPL-3.0-or-later
"""Components of a sound: what in it keeps its spectrum while its level changes (non-negative matrix factorisation).

Kullback-Leibler factorisation of magnitudes (Lee and Seung 2001): V[f, t] is about sum_c W[f, c] H[c, t]. A note's partials
and all its repetitions are one component, or few. `pooled` uses that: who owns a component is asked once, of all the
evidence that there is under it, and every part of the component then belongs to the same.
"""

from __future__ import annotations

import numpy as np

_EPS = 1e-10


def factorised(magnitude: np.ndarray, count: int, iterations: int,
               rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Spectra [bins, count] and courses [count, frames], whose product is near `magnitude` [bins, frames]; its dtype."""
    magnitude = magnitude + magnitude.dtype.type(_EPS)
    spectra = rng.uniform(0.1, 1.0, (len(magnitude), count)).astype(magnitude.dtype)
    courses = rng.uniform(0.1, 1.0, (count, magnitude.shape[1])).astype(magnitude.dtype)
    for _ in range(iterations):
        spectra *= (magnitude / (spectra @ courses + _EPS)) @ courses.T / (courses.sum(axis=1) + _EPS)
        courses *= spectra.T @ (magnitude / (spectra @ courses + _EPS)) / (spectra.sum(axis=0)[:, None] + _EPS)
    return spectra, courses


def pooled(shares: np.ndarray, magnitude: np.ndarray, spectra: np.ndarray, courses: np.ndarray) -> np.ndarray:
    """Shares [owners, bins, frames] as they are when every component has one share for each owner.

    A component's share is the mean of the shares under it, each weighted by how much of `magnitude` [bins, frames] is the
    component's; a bin's is that of its components, as loud as they are in it. Shares that sum to 1 still do.
    """
    together = spectra @ courses + _EPS
    weight = magnitude / together
    whole = (spectra * (weight @ courses.T)).sum(axis=0) + _EPS
    owned = [(spectra * ((share * weight) @ courses.T)).sum(axis=0) / whole for share in shares]
    return np.stack([(spectra * of_component) @ courses / together for of_component in owned])
