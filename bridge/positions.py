# SPDX-License-Identifier: GPL-3.0-or-later
"""Positions as other programs send them, in samples or seconds, as exact numbers of samples. Pure."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from server.errors import InvalidOption

FLOAT_EXACT = 2**24
"""Whole numbers are exact in a 32-bit float, which is all that Pure Data has, only below this."""


def sample_position(value: Any, name: str) -> int:
    """A position in samples, exactly: a whole number, or one as decimal text.

    Raises:
        InvalidOption: negative, not whole, or a float so large that it may have been rounded on the way.
    """
    try:
        position = Fraction(value.strip() if isinstance(value, str) else value)
    except (ValueError, TypeError, OverflowError, ZeroDivisionError):
        raise InvalidOption(f"{name}={value!r} is not a number of samples.") from None
    if position < 0 or position.denominator != 1:
        raise InvalidOption(f"{name}={value} is not a number of samples: give a whole number, 0 or more.")
    if isinstance(value, float) and position > FLOAT_EXACT:
        raise InvalidOption(f"{name}={value:.0f} came as a float, which is exact only up to {FLOAT_EXACT}; "
                            "send it as a text (a symbol) instead.")
    return int(position)


def seconds_as_samples(value: Any, rate: int, name: str) -> int:
    """A position given in seconds as the nearest sample at `rate`; decimal text is taken exactly.

    Raises:
        InvalidOption: negative or no number.
    """
    try:
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError
        seconds = Fraction(value.strip() if isinstance(value, str) else value)
    except (ValueError, TypeError, ZeroDivisionError):
        raise InvalidOption(f"{name}={value!r} is not a number of seconds.") from None
    if seconds < 0:
        raise InvalidOption(f"{name}={value} is before the timeline's start; give 0 or more.")
    return int(seconds * rate + Fraction(1, 2))
