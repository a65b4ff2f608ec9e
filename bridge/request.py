# SPDX-License-Identifier: GPL-3.0-or-later
"""What was asked for, by OSC or in a terminal: a checked request, complete enough to be resumed by another process."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from bridge.placement import Start
from plugin_host import Chain
from server.errors import InvalidOption
from server.kinds import find_kind

FLOAT_EXACT = 2**24
"""Whole numbers are exact in a 32-bit float, which is all that Pure Data has, only below this."""


class RenderRequest(BaseModel):
    """One render, from the clips to the place where the results go.

    inputs: role -> path of the clip. names: role -> the clip's name as the client gave it. pre: plugins for every input
    clip before the render, post: plugins for every result after it; as data, so that a preset may change meanwhile.
    start_samples or start_s (decimal text) at start_rate: the requested start on the timeline; a rate of 0 means the
    source clip's. asked: the message as it came, which tells a repeat from another request under the same id.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    client: str
    request_id: str
    origin: str
    kind: str
    inputs: dict[str, Path] = {}
    names: dict[str, str] = {}
    options: dict[str, Any] = {}
    pre: Chain | None = None
    post: Chain | None = None
    start_samples: int | None = None
    start_s: str | None = None
    start_rate: int = 0
    out: Path
    asked: str = ""

    def requested_start(self, source_rate: int) -> Start | None:
        """The start that was asked for, if any; `source_rate` (Hz) counts where the request named no rate."""
        rate = self.start_rate or source_rate
        if self.start_s is not None:
            return Start(seconds_as_samples(self.start_s, rate, "start_s"), rate, "requested")
        return None if self.start_samples is None else Start(self.start_samples, rate, "requested")


def checked_options(kind: str, options: Mapping[str, Any], roles: frozenset[str]) -> dict[str, Any]:
    """The options that were given, checked and in JSON's types; those not given keep the kind's defaults.

    Raises:
        InvalidOption, InvalidInput: as `Kind.parse`.
    """
    parsed = find_kind(kind).parse(options, roles)
    return parsed.model_dump(mode="json", include=set(options))


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
