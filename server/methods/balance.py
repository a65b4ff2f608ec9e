# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the equilibrium that the fusion paper leaves to the ear: the level where original and reference are equally near.

The original's share rises with the level (noisiest first), the reference's falls; bisection finds where they cross.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

MAX_RENDERS = 8

Rendered = TypeVar("Rendered")


def find_balance(render: Callable[[int], tuple[Rendered, float]], low: int, high: int) -> tuple[Rendered, dict[str, Any]]:
    """Bisect levels `low` to `high` for the zero of the difference that `render` returns beside its result.

    Args:
        render: level -> (result, original's share minus reference's share).

    Returns:
        The result nearest to equilibrium, and a record: `crossing` says whether there is one between the ends (without
        one, the nearer end is returned), `curve` lists [level, difference] of every render.
    """
    tried: dict[int, tuple[Rendered, float]] = {}

    def difference(level: int) -> float:
        if level not in tried:
            tried[level] = render(level)
        return tried[level][1]

    at_low, at_high = difference(low), difference(high)
    crossing = at_low <= 0.0 <= at_high
    while crossing and high - low > 1 and len(tried) < MAX_RENDERS:
        middle = (low + high) // 2
        low, high = (middle, high) if difference(middle) <= 0.0 else (low, middle)
    best = min(tried, key=lambda level: abs(tried[level][1]))
    curve = [[level, round(tried[level][1], 4)] for level in sorted(tried)]
    return tried[best][0], {"crossing": crossing, "renders": len(tried), "curve": curve}
