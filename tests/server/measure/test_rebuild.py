# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from server.measure import rebuild
from server.measure.bench import Bench, NotMeasured


def test_a_mel_model_is_measured_class_by_class(full_bench: Bench) -> None:
    found = rebuild.measure(full_bench, per_class=1)
    assert found["model"] == "mel" and found["clips"] == 4
    assert {name: row["real"] for name, row in found["by_class"].items()} == {"rain": 1, "flute": 1, "drum": 1, "drone": 0}
    assert found["nat"] == pytest.approx(np.mean([row["nat"] for row in found["rows"]]), abs=1e-3)
    # random weights rebuild nothing, and Griffin-Lim knows what it does
    assert found["nat"] > 1 and found["griffin_lim"] < found["vocoder"]
    table = rebuild.lines(found)
    assert len({line.count("|") for line in table[:7]}) == 1 and table[6].startswith("| **all**")
    nat, vocoder = rebuild.findings(found)
    assert not nat.met and not vocoder.met and "drone" in vocoder.figure


def test_a_part_is_met_only_where_every_class_is() -> None:
    row = {"clips": 1, "real": 1, "nat": 0.3, "render": 1.0, "vocoder": 1.0, "griffin_lim": 1.2}
    figures = {"model": "mel", "clips": 2, **row, "by_class": {"rain": row, "dog": row | {"nat": 0.6}}}
    nat, vocoder = rebuild.findings(figures)
    assert (nat.met, vocoder.met) == (False, True)
    assert nat.figure == "0.30 nat; 1 of 2 classes, not dog" and vocoder.figure.endswith("2 of 2 classes")


def test_without_sounds_there_is_nothing_to_rebuild(bench: Bench) -> None:
    with pytest.raises(NotMeasured, match="server.measure.fetch"):
        rebuild.measure(replace(bench, held_out=None))
