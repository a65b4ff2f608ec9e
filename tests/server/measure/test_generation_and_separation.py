# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from server.errors import InvalidInput
from server.measure import generation_and_separation as both


def _folder(where: Path, name: str, frechet: float, score: float, seed: int = 1) -> Path:
    row = {"gain_db": 1.0, "agreement": score, "stages": 2.0 - score, "frechet": 3.0 - score}
    figures = {"plan": {"mixtures": 2}, "embedding": "timbre-1", "mixtures": [{"name": "a + b 1"}],
               "generation": {"frechet": frechet, "clips": 2, "against": 4}, "compared": {"ddim": row, "ddpm": row}}
    folder = where / name
    folder.mkdir()
    (folder / "figures.json").write_text(json.dumps({
        "model": {"name": name}, "seed": seed, "quick": False, "parts": {"separation": {"figures": figures}}}))
    return folder


def test_scores_go_from_the_worst_to_the_best_model():
    assert both.normalised([4.0, 1.0, 2.5], -1).tolist() == [0.0, 1.0, 0.5]
    assert both.normalised([3.0, 3.0], 1).tolist() == [1.0, 1.0]
    scores = [{"agreement": 0.2, "stages": 1.0, "text": 0.1}, {"agreement": 0.6, "stages": 2.0}]
    assert both.joined(scores, both.BETTER).tolist() == [0.5, 0.5], "what one model lacks does not count"


def test_a_better_generator_that_separates_better_correlates(tmp_path: Path, capsys):
    folders = [_folder(tmp_path, name, frechet, score) for name, frechet, score in
               (("poor", 2.0, 0.1), ("fair", 1.5, 0.2), ("good", 1.0, 0.3))]
    found = both.compared(folders)
    assert found["correlation"] == {"ddim": pytest.approx(1.0), "ddpm": pytest.approx(1.0)}
    assert np.allclose(found["separation"]["ddim"], [0.0, 0.5, 1.0])
    assert both.main([str(folder) for folder in folders]) == 0
    table = capsys.readouterr().out
    assert "| good | 1.000 | 1.00 | 1.00 | 1.00 | 1.00 | 1.00 |" in table and "ddim +1.00, ddpm +1.00" in table
    # AudioLDM2-L by ddim on MUSIC: best FAD and CLAP-A, LPAPS (4.690 - 4.669)/0.179, CLAP-T 0.067/0.080.
    assert f"| AudioLDM2-L | {(1 + 0.021 / 0.179 + 1 + 0.067 / 0.080) / 4:.2f} |" in table


def test_two_models_have_no_correlation_and_unlike_ones_no_table(tmp_path: Path, capsys):
    pair = [_folder(tmp_path, "a", 2.0, 0.1), _folder(tmp_path, "b", 1.0, 0.2)]
    assert "fewer than 3 models" in "\n".join(both.lines(both.compared(pair)))
    with pytest.raises(InvalidInput, match="measure all models alike"):
        both.compared([pair[0], _folder(tmp_path, "c", 1.0, 0.2, seed=2)])
    assert both.main([str(pair[0]), str(tmp_path)]) == 2
    assert "athanor evaluate MODEL --parts separation" in capsys.readouterr().err
    assert both.main([str(pair[0])]) == 2
