# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from server.methods.balance import MAX_RENDERS, find_balance


@pytest.mark.parametrize("zero", [0.0, 3.3, 50.0, 99.0, 100.0])
def test_the_crossing_is_found_to_a_level_or_the_render_limit(zero):
    calls = []

    def render(level):
        calls.append(level)
        return f"render {level}", level - zero

    best, record = find_balance(render, 0, 100)
    assert record["crossing"] and len(calls) == len(set(calls)) == record["renders"] <= MAX_RENDERS
    assert abs(int(best.split()[1]) - zero) <= 2
    assert record["curve"] == sorted(record["curve"])


@pytest.mark.parametrize(("offset", "nearest"), [(5.0, 0), (-200.0, 100)])
def test_without_a_crossing_the_nearer_end_is_returned_and_said(offset, nearest):
    best, record = find_balance(lambda level: (level, level + offset), 0, 100)
    assert best == nearest and not record["crossing"] and record["renders"] == 2
