# SPDX-License-Identifier: GPL-3.0-or-later
"""SDR, SIR and SAR of separated sources, by the library `fast_bss_eval` (extra `evaluate`).

BSS Eval version 3 (Vincent et al. 2006): the targets may be filtered by 512 taps before anything counts as wrong. Its
figures are those of `mir_eval.separation`, which that package is about to drop. Use `si_sdr` where a filter must count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from server.measure.bench import NotMeasured
from server.measure.si_sdr import LIMIT_DB

FILTER_TAPS = 512


@dataclass(frozen=True)
class Bss:
    """Of every estimate, dB, float64 [..., sources]: distortion in all, interference by the others, artefacts."""

    sdr_db: np.ndarray
    sir_db: np.ndarray
    sar_db: np.ndarray


def bss_eval(estimates: np.ndarray, targets: np.ndarray) -> Bss:
    """SDR, SIR and SAR of each estimate against the target at the same place, none exchanged for another.

    Args:
        estimates, targets: [..., sources, time], mono, more than 512 samples. No target may be silent.

    Returns:
        dB within +-120, shape [..., sources].

    Raises:
        ValueError: shapes differ, clips are too short, or a target is silent.
        NotMeasured: the library is not installed.
    """
    e, t = (np.asarray(x, np.float64) for x in (estimates, targets))
    if e.shape != t.shape or e.ndim < 2 or e.shape[-1] <= FILTER_TAPS:
        raise ValueError(f"estimates are {e.shape} and targets {t.shape}; give both as [..., sources, time] of one shape, "
                         f"with more than {FILTER_TAPS} samples")
    if not (t**2).sum(-1).all():
        raise ValueError("a target is silent: nothing can be separated from a mixture that it is not in")
    try:
        import fast_bss_eval
    except ImportError:
        raise NotMeasured("SDR, SIR and SAR need the package fast-bss-eval: `pip install -c constraints.txt "
                          "'.[evaluate]'`.") from None
    # Its numpy branch does not run under numpy 2; the torch branch does, on the CPU and in float64.
    figures = fast_bss_eval.bss_eval_sources(torch.from_numpy(t.copy()), torch.from_numpy(e.copy()),
                                             filter_length=FILTER_TAPS, compute_permutation=False)
    return Bss(*(np.clip(np.nan_to_num(figure.numpy(), nan=-LIMIT_DB), -LIMIT_DB, LIMIT_DB) for figure in figures))
