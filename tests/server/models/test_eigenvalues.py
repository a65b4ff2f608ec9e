# SPDX-License-Identifier: GPL-3.0-or-later
"""The table that ships, and what it makes of `vary` on a real sound with the embedded model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import presets
from server.audio import Clip, read_clip
from server.errors import InvalidInput
from server.measure.studio import Studio
from server.models.base import BackboneFacts
from server.models.eigenvalues import read_table, shipped_table
from server.models.loading import load


@pytest.fixture(scope="module")
def studio():
    with Studio(load("embedded", device="cpu")) as made:
        yield made


@pytest.fixture(scope="module")
def clip() -> Clip:
    whole = read_clip(Path(presets.__file__).parent / "clips" / "bowed_drone.flac")
    return Clip(whole.samples[:, whole.sample_rate : 2 * whole.sample_rate], whole.sample_rate)


def test_a_table_ships_for_the_weights_that_ship_and_no_others(studio):
    facts = studio.backbone.facts
    table = shipped_table(facts)
    assert table is not None and table.n == 3 and shipped_table(replace(facts, revision="another")) is None
    values = np.array(table.eigenvalues)
    assert list(table.snr_db) == sorted(table.snr_db) and table.snr_db[0] < -20 and table.snr_db[-1] > 20
    assert (np.diff(values, axis=0) < 0).all() and (np.diff(values, axis=1) < 0).all()
    # With the least noise nothing is known of x0 beyond x itself: the variance is the noise's, sigma^2 / alpha^2.
    assert values[-1] == pytest.approx([10 ** (-table.snr_db[-1] / 10)] * 3, rel=0.15)


def test_the_embedded_model_s_directions_move_a_real_sound_and_gamma_0_does_not(studio, clip):
    asked = {"directions": 1, "steps": 8, "range": "-10:", "sign": "plus", "gamma": "0,2"}
    still, moved, file = studio("vary", {"clip": clip}, **asked)
    found = still.provenance["directions"]  # the first of the job's results says it
    assert (found["scale"], found["jacobian"], len(found["snr_db"])) == ("table", "forward", 1)
    assert still.provenance["change"] < 1e-5 < 0.05 < moved.provenance["change"]
    assert moved.clip.samples.shape == clip.samples.shape and moved.clip.sample_rate == clip.sample_rate
    # At one level the clip's own eigenvalue is near the table's: the paper's observation.
    table = shipped_table(studio.backbone.facts)
    expected = np.exp(np.interp(found["snr_db"][0], table.snr_db, np.log([row[0] for row in table.eigenvalues])))
    assert found["eigenvalues"][0][0] == pytest.approx(expected, rel=0.6)


WHOLE = {"model": "bells", "revision": "r1", "clips": 2, "seconds": 1.0, "snr_db": [-10, 0],
         "eigenvalues": [[4, 2], [1, 0.5]]}


@pytest.mark.parametrize(("wrong", "says"), [
    ({"eigenvalues": [[], []]}, "is no table of"), ({"eigenvalues": [[4, -2], [1, 0.5]]}, "is no table of"),
    ({"eigenvalues": [[4, float("nan")], [1, 0.5]]}, "is no table of"), ({"snr_db": [0, -10]}, "is no table of"),
    ({"snr_db": [0, float("inf")]}, "is no table of"), ({"revision": 7}, "on bells revision 7; the model here is tiny"),
])
def test_a_table_that_cannot_be_used_is_refused(tmp_path, wrong, says):
    facts = BackboneFacts("tiny", "audioldm", "r1", 16000, 1, 25.0, 10.24)
    file = tmp_path / "table.json"
    file.write_text(json.dumps(WHOLE), encoding="utf-8")
    assert read_table(file, facts).eigenvalues == ((4.0, 2.0), (1.0, 0.5))
    file.write_text(json.dumps(WHOLE | wrong), encoding="utf-8")
    with pytest.raises(InvalidInput, match=says):
        read_table(file, facts)
