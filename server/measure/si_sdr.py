# SPDX-License-Identifier: GPL-3.0-or-later
"""SI-SDR: how much of an estimate is the target at some level, and how much is anything else. No torch."""

from __future__ import annotations

import numpy as np

LIMIT_DB = 120.0
"""Values are kept within +-LIMIT_DB, so that a mean over clips exists: the same sound has the first, silence the second."""


def si_sdr_db(estimate: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Scale-invariant signal-to-distortion ratio, dB (Le Roux et al. 2019, eq. 2 and 3), as float64.

    `10 log10(|a t|^2 / |a t - e|^2)` with `a = <e, t>/<t, t>`. The mean is not removed first.

    Args:
        estimate, target: samples [..., time]; every leading index is a clip (or a channel) for itself.

    Returns:
        [...], within +-LIMIT_DB; nan where the target is silent, as nothing can be said then.

    Raises:
        ValueError: the two differ in shape.
    """
    e, t = _pair(estimate, target)
    power = (t * t).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        wanted = ((e * t).sum(-1) / power)[..., None] * t
    good, bad = (wanted * wanted).sum(-1), ((e - wanted) ** 2).sum(-1)
    tiny = np.finfo(np.float64).tiny
    ratio_db = 10.0 * (np.log10(np.maximum(good, tiny)) - np.log10(np.maximum(bad, tiny)))
    ratio_db = np.where((good == 0) & (bad == 0), -LIMIT_DB, ratio_db)
    return np.where(power > 0, np.clip(ratio_db, -LIMIT_DB, LIMIT_DB), np.nan)


def si_sdr_gain_db(estimate: np.ndarray, mixture: np.ndarray, target: np.ndarray) -> np.ndarray:
    """SI-SDR improvement, dB: of the estimate less that of the mixture it was made from; shapes as in `si_sdr_db`."""
    return si_sdr_db(estimate, target) - si_sdr_db(mixture, target)


def _pair(estimate: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    e, t = np.asarray(estimate, np.float64), np.asarray(target, np.float64)
    if e.shape != t.shape:
        raise ValueError(f"the estimate is {e.shape} and the target {t.shape}; give clips of one shape [..., time]")
    return e, t
