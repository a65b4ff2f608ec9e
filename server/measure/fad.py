# SPDX-License-Identifier: GPL-3.0-or-later
"""Frechet distance of two sets of embeddings: the audio distance (FAD) of whatever embedding they are in. No torch.

Kilgour et al. 2019; Heusel et al. 2017, eq. 6. The name FAD alone means VGGish; elsewhere say the embedding.

Bias: the estimate from n samples lies above the distance of the true distributions by about c/n, and for fewer samples than
dimensions by much. Two figures compare only at the same n and m against the same reference; `FAD of two halves of the
reference` (`halves`) is what nothing at all amounts to at that size. DiffMusic and the editing paper print the plain
estimate, as here; an extrapolation to infinite n (Gui et al. 2023) is a different figure.
"""

from __future__ import annotations

import numpy as np


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """`|m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))` of two sets of vectors, float64, at least 0.

    With S_a = A'A, S_b = B'B (A, B centred, over sqrt(n - 1)), tr (S_a S_b)^(1/2) is the sum of the singular values of
    A B': no matrix root is taken, and sets smaller than their dimension, whose covariances are singular, are exact.

    Args:
        a, b: [n, d] and [m, d]; n, m at least 2.

    Raises:
        ValueError: shapes that do not fit, fewer than two vectors, or values that are not finite.
    """
    a, b = (_checked(x) for x in (a, b))
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"vectors of {a.shape[1]} and of {b.shape[1]} numbers are not in one embedding")
    between = a.mean(0) - b.mean(0)
    roots = [_root(x) for x in (a, b)]
    shared = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    distance = between @ between + sum((root**2).sum() for root in roots) - 2.0 * shared
    return max(float(distance), 0.0)


def halves(vectors: np.ndarray, seed: int = 0) -> float:
    """Frechet distance of two random halves of one set [n, d]: what its size alone amounts to. n is at least 4."""
    order = np.random.default_rng([seed, 41]).permutation(len(vectors))
    return frechet_distance(vectors[order[::2]], vectors[order[1::2]])


def _checked(vectors: np.ndarray) -> np.ndarray:
    x = np.asarray(vectors, np.float64)
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(f"a set of shape {x.shape} has no covariance; give [n, d] with at least 2 vectors")
    if not np.isfinite(x).all():
        raise ValueError("a set of embeddings holds values that are not finite")
    return x


def _root(x: np.ndarray) -> np.ndarray:
    """Some R with R'R the covariance of x; at most d rows."""
    centred = (x - x.mean(0)) / np.sqrt(len(x) - 1)
    return np.linalg.qr(centred, mode="r") if len(x) > x.shape[1] else centred
