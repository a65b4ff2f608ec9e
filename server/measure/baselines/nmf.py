# SPDX-License-Identifier: GPL-3.0-or-later
"""Separate a mixture without knowing anything: non-negative matrix factorisation, its components grouped by timbre.

Kullback-Leibler factorisation of the magnitudes (Lee and Seung 2001); the components' spectra as MFCCs fall into as many
groups as there are stems (k-means: the NMF-MFCC of ZeroSep's table 1); every group is a mask on the mixture. Which group is
which stem is not known: who compares must pair them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from server.audio import Clip
from server.measure.baselines.short_time import analyse, synthesise
from server.methods.components import factorised

COMPONENTS, ITERATIONS = 20, 60
"""Of up to ten stems; of more, two components each."""
_FRAME_S = 0.064
_BANDS, _MFCCS = 32, 13
_EPS = 1e-10


def separate(mixture: Clip, count: int, seed: int = 0) -> list[Clip]:
    """`count` clips that add up to the mixture, in no order that means anything."""
    n_fft = 2 ** round(np.log2(_FRAME_S * mixture.sample_rate))
    hop = n_fft // 4
    spectrum = analyse(mixture.samples.astype(np.float64), n_fft, hop)
    rng = np.random.default_rng([seed, 83])
    spectra, courses = factorised(np.abs(spectrum).mean(axis=0).T, max(COMPONENTS, 2 * count), ITERATIONS, rng)
    groups = _grouped(_mfcc(spectra, mixture.sample_rate), count, rng)
    parts = np.stack([spectra[:, groups == k] @ courses[groups == k] for k in range(count)]) + _EPS
    masks = (parts / parts.sum(axis=0)).transpose(0, 2, 1)
    return [replace(mixture, samples=synthesise(spectrum * mask, n_fft, hop, mixture.n_samples)) for mask in masks]


def _mfcc(spectra: np.ndarray, sample_rate: int) -> np.ndarray:
    """`[components, 13]`, unit deviation: cosine transform of log bands, evenly spaced in mel, without the level."""
    hz = np.linspace(0, sample_rate / 2, len(spectra))
    edges = 700 * (np.exp(np.linspace(0, np.log1p(sample_rate / 1400), _BANDS + 2)) - 1)
    rising = (hz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - hz) / np.diff(edges)[1:, None]
    bands = np.log(np.maximum(np.minimum(rising, falling), 0) @ spectra + _EPS)
    turns = np.cos(np.pi * np.outer(np.arange(1, _MFCCS + 1), np.arange(_BANDS) + 0.5) / _BANDS)
    found = (turns @ bands).T
    return (found - found.mean(axis=0)) / (found.std(axis=0) + _EPS)


def _grouped(points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Group of every point `[n]`, 0 to count - 1, none of them empty: the best of ten k-means."""
    best, least = np.arange(len(points)) % count, np.inf
    for _ in range(10):
        centres = points[rng.choice(len(points), count, replace=False)]
        for _ in range(20):
            distance = np.square(points[:, None] - centres[None]).sum(axis=-1)
            groups = distance.argmin(axis=1)
            centres = np.stack([points[groups == k].mean(axis=0) if (groups == k).any() else centres[k]
                                for k in range(count)])
        if distance.min(axis=1).sum() < least and len(set(groups)) == count:
            best, least = groups, distance.min(axis=1).sum()
    return best


def paired(estimates: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> list[int]:
    """Which estimate is nearest to each target: the pairing with the greatest sum of squared correlations.

    Found over the sets of estimates that the first targets may have, n 2^n steps: of 12 stems 49,000.

    Args:
        estimates, targets: as many of the one as of the other, each samples of one shape.
    """
    best: dict[frozenset[int], tuple[float, list[int]]] = {frozenset(): (0.0, [])}
    for target in targets:
        score, longer = [_correlation(estimate, target) for estimate in estimates], {}
        for taken, (total, order) in best.items():
            for k in set(range(len(estimates))) - taken:
                if total + score[k] > longer.get(taken | {k}, (-1.0,))[0]:
                    longer[taken | {k}] = total + score[k], [*order, k]
        best = longer
    return best[frozenset(range(len(estimates)))][1]


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
    return float(np.square(a @ b) / ((a @ a) * (b @ b) + _EPS))
