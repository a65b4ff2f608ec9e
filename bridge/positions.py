# SPDX-License-Identifier: GPL-3.0-or-later
"""Positions as other programs send them, in samples or seconds, as exact numbers of samples. Pure."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

from server.errors import InvalidOption

FLOAT_EXACT = 2**24
"""Whole numbers are exact in a 32-bit float, which is all that Pure Data has, only below this."""

MOST_SAMPLES = 2**53
"""Latest position: where whole numbers end that every reader of JSON takes exactly; 300 years at 768 kHz."""
MOST_SECONDS = 10**9
_MOST_TEXT = 64
_HUGE = re.compile(r"[eE][+-]?[\d_]{4}")


def exact(value: Any) -> Fraction:
    """A number or its text, exactly.

    Raises:
        ValueError, TypeError, OverflowError, ZeroDivisionError: it is none, or its text is longer than any that is meant.
    """
    if not isinstance(value, str):
        return Fraction(value)
    # `1e999999999` is a short text for a number that fills the memory.
    if len(value) > _MOST_TEXT or _HUGE.search(value):
        raise ValueError(f"a number of {len(value)} characters, or with an exponent of more than three digits")
    return Fraction(value.strip())


def sample_position(value: Any, name: str) -> int:
    """A position in samples, exactly: a whole number, or one as decimal text.

    Raises:
        InvalidOption: negative, not whole, above MOST_SAMPLES, or a float so large that it may have been rounded on the
            way.
    """
    try:
        position = exact(value)
    except (ValueError, TypeError, OverflowError, ZeroDivisionError):
        raise InvalidOption(f"{name}={value!r} is not a number of samples.") from None
    if position < 0 or position.denominator != 1:
        raise InvalidOption(f"{name}={value} is not a number of samples: give a whole number, 0 or more.")
    if isinstance(value, float) and position > FLOAT_EXACT:
        raise InvalidOption(f"{name}={value:.0f} came as a float, which is exact only up to {FLOAT_EXACT}; "
                            "send it as a text (a symbol) instead.")
    if position > MOST_SAMPLES:
        raise InvalidOption(f"{name} is beyond any timeline; give at most {MOST_SAMPLES} samples.")
    return int(position)


def seconds_as_samples(value: Any, rate: int, name: str) -> int:
    """A position given in seconds as the nearest sample at `rate`; decimal text is taken exactly.

    Raises:
        InvalidOption: negative, above MOST_SECONDS or no number.
    """
    try:
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError
        seconds = exact(value)
    except (ValueError, TypeError, ZeroDivisionError):
        raise InvalidOption(f"{name}={value!r} is not a number of seconds.") from None
    if seconds < 0:
        raise InvalidOption(f"{name}={value} is before the timeline's start; give 0 or more.")
    if seconds > MOST_SECONDS:
        raise InvalidOption(f"{name} is beyond any timeline; give at most {MOST_SECONDS} seconds.")
    return int(seconds * rate + Fraction(1, 2))
