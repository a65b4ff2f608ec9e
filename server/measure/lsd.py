# SPDX-License-Identifier: GPL-3.0-or-later
"""Log-spectral distance as DiffMusic prints it: log10 of the magnitude, window 1024, hop 512, Hann. No torch.

The usual form takes log10 of the power and is exactly twice this one where the floor does not count; the paper's formula
says "log" and its code takes log10 of the magnitude. A figure times 20 is a distance in dB.
"""

from __future__ import annotations

import numpy as np

from server.measure.spectra import magnitudes

WINDOW, HOP = 1024, 512
FLOOR = 1e-10


def lsd(estimate: np.ndarray, target: np.ndarray, *, power: bool = False, floor: float = FLOOR) -> np.ndarray:
    """Log-spectral distance of clips (DiffMusic, section 5.3.1), float64.

    The root of the mean over bins of `(log10(|E| + floor) - log10(|T| + floor))^2`, its mean over frames.

    Args:
        estimate, target: samples [..., time] at full scale 1; every leading index is a clip for itself. The figure depends
            on the sample rate; the paper's is 16 kHz.
        power: the usual form, log10 of |.|^2.
        floor: added to each magnitude. With the paper's 1e-10, bins without energy (digital silence, above a low-pass)
            count by many decades: 1e-5 makes a more even figure, which is then no longer the paper's.

    Returns:
        [...], 0 for the same clip.

    Raises:
        ValueError: the two differ in shape, or are shorter than half a window.
    """
    if np.shape(estimate) != np.shape(target):
        raise ValueError(f"the estimate is {np.shape(estimate)} and the target {np.shape(target)}; give clips of one shape")
    e, t = (np.log10(magnitudes(x, WINDOW, HOP) + floor) for x in (estimate, target))
    distance = np.sqrt(((e - t) ** 2).mean(-1)).mean(-1)
    return 2.0 * distance if power else distance
