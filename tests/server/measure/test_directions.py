# SPDX-License-Identifier: GPL-3.0-or-later
"""The measurement runs on a model that cannot sing: what it answers is checked, not how good it is."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
import torch

from server.measure import directions, eigenvalues
from server.measure.bench import Bench, NotMeasured
from server.measure.directions import Plan
from server.methods import find_directions
from server.models.eigenvalues import read_table
from server.sampling.directions import principal_components


@pytest.fixture(scope="module", autouse=True)
def three_rounds():
    """A toy network's spectrum is flat: it would take all 50."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (find_directions, eigenvalues):
            patch.setattr(module, "principal_components", partial(principal_components, max_iterations=3))
        yield


@pytest.fixture(scope="module")
def measured(studio, sounds, tmp_path_factory):
    bench = Bench(studio, tmp_path_factory.mktemp("bench"), held_out=sounds, seed=5)
    return directions.measure(bench, Plan(clips=2, seconds=0.3, steps=6, random=3, matched=2, others=6))


def test_found_and_random_directions_stand_side_by_side(measured):
    figures = json.loads(json.dumps(measured))
    for row in figures["clips"]:
        assert len(row["found"]) == 3 and len(row["random"]) == 3 and len(row["matched"]) == 2
        assert row["matched"] == pytest.approx([sum(row["found"]) / 3] * 2, rel=0.1)
    assert figures["frechet"]["clips"] == 2 * 6 and figures["frechet"]["against"] == 4
    assert all(figures["frechet"][name] >= 0.0 for name in ("found", "random", "halves"))


def test_it_is_told_as_rows_of_the_table_and_as_markdown(measured):
    rows, frechet = directions.findings(measured), measured["frechet"]
    assert [row.met for row in rows] == [measured["ratio"] > 1, frechet["found"] < frechet["random"]]
    assert len(directions.lines(measured)) == 4 + 2


def test_without_held_out_sounds_there_is_nothing_to_vary(studio, tmp_path):
    with pytest.raises(NotMeasured, match="held-out sounds"):
        directions.measure(Bench(studio, tmp_path))


def test_an_eigenvalue_table_is_measured_and_read_back(studio, sounds, tmp_path):
    tables = []
    plan = eigenvalues.Plan(clips=2, seconds=0.3, n=2, snr_db=(-12.0, 0.0, 12.0))
    bench = Bench(studio, tmp_path, held_out=sounds, seed=1)
    figures = json.loads(json.dumps(eigenvalues.measure(bench, plan, tables.append)))
    alone = [eigenvalues.of_clip(studio.backbone, sound, plan, 1) for sound in sounds.mixed(2, 1, eigenvalues.STREAM)]
    assert [table.clips for table in tables] == [1, 2]
    made = tables[-1]
    assert made.snr_db == pytest.approx((-12, 0, 12), abs=0.2)
    for place in range(3):
        assert made.eigenvalues[place][0] >= made.eigenvalues[place][1] > 0
        for k in range(2):
            one, other = (found.eigenvalues[place, k] for found in alone)
            assert made.eigenvalues[place][k] == pytest.approx((one * other) ** 0.5, rel=1e-3)
            assert figures["differ_db"][place][k] == pytest.approx(5 * abs(np.log10(one / other)), abs=0.01)
    path = tmp_path / "table.json"
    path.write_text(made.to_json())
    assert read_table(path, studio.backbone.facts) == made
    assert len(eigenvalues.lines(figures)) == 2 + 3 + 2 and len(eigenvalues.findings(figures)) == 2


@pytest.mark.parametrize("more", [(), (4,)])
def test_entropy_is_1_where_a_component_fills_the_clip_and_0_in_one_frame(more):
    vectors = torch.zeros(1, 3, 2, 8, *more)
    vectors[0, 0] = 1.0
    vectors[0, 1, :, 3] = 1.0
    vectors[0, 2, 0, :2] = -1.0
    assert eigenvalues.entropy(vectors)[0] == pytest.approx([1.0, 0.0, np.log(2) / np.log(8)])
