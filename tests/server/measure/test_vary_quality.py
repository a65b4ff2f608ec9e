# SPDX-License-Identifier: GPL-3.0-or-later
"""The measurement runs on a model that cannot sing: what it answers is checked, not how good it is."""

from __future__ import annotations

import json
from functools import partial

import pytest

from server.measure import vary_quality
from server.measure.vary_quality import Plan, against
from server.methods import find_directions
from server.sampling.directions import principal_components


def test_every_way_has_as_many_results(bench, monkeypatch):
    found = []

    def three_rounds(*args, **said):  # a toy network's spectrum is flat: it would take all 50
        found.append(1)
        return partial(principal_components, max_iterations=3)(*args, **said)

    monkeypatch.setattr(find_directions, "principal_components", three_rounds)
    plan = Plan(clips=2, seconds=0.3, steps=4, t_prime=(80,), sdedit=(40, 100), components=1, others=4)
    figures = json.loads(json.dumps(vary_quality.measure(bench, plan)))
    assert len(found) == 2, "directions of a clip serve every T_start"
    assert list(figures["points"]) == [
        "t' 80, T_start 200", "t' 80, T_start 150", "SDEdit, T_start 40", "SDEdit, T_start 100"]
    assert figures["results"] == 4 and figures["against"] == 4
    assert all(one["strength"] >= 0.0 <= one["quality"] for one in figures["points"].values())
    assert len(vary_quality.lines(figures)) == 2 + 4 + 2 and len(vary_quality.findings(figures)) == 1


def points(**ways: tuple[float, float]) -> dict[str, dict[str, float]]:
    return {name: {"strength": s, "quality": q} for name, (s, q) in ways.items()}


def test_ways_are_compared_at_equal_strength():
    made = points(SDEdit_2=(3.0, 2.0), SDEdit_1=(1.0, 1.0), inside=(2.0, 1.0), outside=(1.5, 1.5), beyond=(4.0, 0.0))
    assert against(made) == {"inside": pytest.approx(0.5), "outside": pytest.approx(-0.25)}
    figures = {"points": made, "clips": ["a"], "embedding": "e"}
    row = vary_quality.findings(figures)[0]
    assert row.met is False and "+0.125 on average; in 1 of the 2 ways" in row.figure
    del made["outside"]
    assert vary_quality.findings(figures)[0].met is True
    assert vary_quality.findings(figures | {"points": points(SDEdit_1=(1.0, 1.0), beyond=(4.0, 0.0))})[0].met is False
