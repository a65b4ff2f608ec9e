# SPDX-License-Identifier: GPL-3.0-or-later
"""The editing paper's T_start as a noise level: so many of AudioLDM 2's 200 steps are left when an edit begins.

A number of steps means another noise in every model; the signal-to-noise ratio means the same in all.
"""

from __future__ import annotations

import math

from server.sampling.levels import scaled_linear_alphas_cumprod

N_STEPS, _EVERY = 200, 5
_BETAS = (0.0015, 0.0195)  # of AudioLDM 2, as its scheduler states them


def snr_db(t_start: int) -> float:
    """SNR in dB of the state from which `t_start` of the 200 steps are run: +2.2 at 40, -8.7 at 100, -38.2 at 200."""
    if not 1 <= t_start <= N_STEPS:
        raise ValueError(f"t_start is {t_start}; it is a number of steps from 1 to {N_STEPS}")
    power = float(scaled_linear_alphas_cumprod(*_BETAS)[_EVERY * (t_start - 1) + 1])
    return 10.0 * math.log10(power / (1.0 - power))
