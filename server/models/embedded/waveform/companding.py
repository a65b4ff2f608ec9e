"""Companding of the MDCT's lines by sums of sines: loud lines made softer, so that soft ones are more than nothing.

Lines are spread over 100 dB and mostly silent: raw, their kurtosis is near 100, and a diffusion model would hear nothing
but the loudest. Three times over they go through a curve close to asinh, made of a straight line and eight sines, because a
network of Snakes has no other curves (`oobleck`). The expansion is fitted to undo what the compression really does.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

LARGEST = 12.0  # a line that becomes 1
TIMES = 3
KNEE = 12.0  # c of asinh(c x) / asinh(c)
PERIOD = 2.3  # of the slowest sine: a little more than -1 to 1
COMPRESSING, EXPANDING = 8, 6  # sines


def frequencies(sines: int) -> Tensor:
    """Of the sines, radians per unit, float64 `[sines]`."""
    return 2 * math.pi / PERIOD * torch.arange(1, sines + 1, dtype=torch.float64)


def curve(weights: Tensor, x: Tensor) -> Tensor:
    """weights[0] x + the sum of weights[k] sin(k w x), for weights `[1 + sines]` and any x."""
    made = weights[0] * x
    for weight, frequency in zip(weights[1:], frequencies(len(weights) - 1), strict=True):
        made = made + weight * torch.sin(frequency * x)
    return made


@lru_cache(maxsize=1)
def compressing() -> Tensor:
    """Weights of the compressing curve, float64 `[9]`."""
    x = torch.linspace(-1, 1, 4001, dtype=torch.float64)
    return _fitted(COMPRESSING, x, torch.asinh(KNEE * x) / math.asinh(KNEE), torch.ones_like(x))


@lru_cache(maxsize=1)
def expanding() -> Tensor:
    """Weights of the expanding curve, float64 `[7]`; best where lines are soft, where an error is heard most."""
    x = torch.linspace(-1, 1, 4001, dtype=torch.float64)
    return _fitted(EXPANDING, curve(compressing(), x), x, 1 / (x.abs() + 0.01))


def compressed(lines: Tensor) -> Tensor:
    """Lines of any shape to about -1 to 1."""
    made = lines / LARGEST
    for _ in range(TIMES):
        made = curve(compressing().to(made), made)
    return made


def expanded(made: Tensor) -> Tensor:
    """The inverse of `compressed`, nearly."""
    for _ in range(TIMES):
        made = curve(expanding().to(made), made)
    return made * LARGEST


def _fitted(sines: int, x: Tensor, wanted: Tensor, emphasis: Tensor) -> Tensor:
    columns = torch.stack([x, *(torch.sin(frequency * x) for frequency in frequencies(sines))], 1)
    return torch.linalg.lstsq(columns * emphasis[:, None], (wanted * emphasis)[:, None], driver="gelsd").solution[:, 0]
