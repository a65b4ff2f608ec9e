# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from server.audio import Clip
from server.errors import InvalidInput, InvalidOption
from server.measure import diffmusic, restoration
from server.measure.bench import Bench, NotMeasured
from server.measure.damages import TRIALS, Damage
from server.measure.restoration import Plan

TINY = {"steps": 2, "algorithm": "irs", "vmc": True}


def test_a_task_is_measured_and_told(bench: Bench) -> None:
    found = restoration.measure(bench, Plan(clips=2, seconds=0.4, restore=TINY | {"task": "super_resolution"}))
    assert found["clips"] == 2 and list(found["trials"]) == ["super-resolution"]
    rows = found["trials"]["super-resolution"]
    assert list(rows) == ["nothing", "classical", "irs"]
    for row in rows.values():
        assert len(row["each"]) == 2
        assert row["si_sdr"] == pytest.approx(np.mean([each["si_sdr"] for each in row["each"]]), abs=1e-3)
    (finding,) = restoration.findings(found)
    assert finding.what == "restore, super-resolution: log-mel distance" and "band replication" in finding.figure
    best = min(rows["nothing"]["log_mel"], rows["classical"]["log_mel"])
    assert finding.met == (rows["irs"]["log_mel"] < best)
    table = restoration.lines(found)
    assert any(line.startswith("| super-resolution | irs |") and line.endswith("| 0.968 / 8.93 |") for line in table)
    assert len({line.count("|") for line in table if line.startswith("|")}) == 1


def test_magnitudes_and_stems_reach_the_job(bench: Bench) -> None:
    for task, title in (("phase_retrieval", "phase retrieval"), ("separate", "separate")):
        found = restoration.measure(bench, Plan(clips=2, seconds=0.4, restore=TINY | {"task": task}))
        assert np.isfinite(found["trials"][title]["irs"]["log_mel"])
    rows = found["trials"]["separate"]
    assert list(rows) == ["nothing", "classical", "irs", restoration.UNPAIRED, restoration.SEPARATE]
    assert len(rows[restoration.UNPAIRED]["each"]) == 4  # both orders of two clips
    assert rows[restoration.UNPAIRED]["si_sdr"] < rows["classical"]["si_sdr"]


def test_options_leave_rows_and_trials_out() -> None:
    assert list(Plan().trials) == list(TRIALS)
    assert list(Plan().rows) == ["irs", "dps", "dsg", "irs, no VMC", "dps, no VMC", "dsg, no VMC"]
    few = Plan(restore={"task": "inpaint", "vmc": "false", "algorithm": "dps", "steps": "7"})
    assert list(few.trials) == ["inpaint 50 ms", "inpaint 200 ms", "inpaint 1000 ms"]
    assert few.rows == {"dps, no VMC": {"steps": "7", "algorithm": "dps", "vmc": False}}


def test_only_the_gap_is_compared() -> None:
    rng = np.random.default_rng(0)
    real = Clip(rng.standard_normal((1, 8000)), 16000)
    made = Clip(real.samples.copy(), 16000)
    made.samples[:, :1000] = 0.0
    outside = Damage([real], [real], list, {}, {}, excerpt=(4000, 4800))
    figures = restoration._figures(outside, [made])
    assert figures["si_sdr"] == 120 and figures["log_mel"] == 0 and figures["lsd"] > 0
    assert restoration._figures(replace(outside, excerpt=None), [made])["si_sdr"] < 10


def test_a_clip_that_is_refused_counts_as_it_came(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*arguments, **options):
        raise InvalidInput("no room")

    monkeypatch.setattr(restoration, "_restored", refuses)
    rows = restoration.measure(bench, Plan(clips=2, seconds=0.4, restore=TINY | {"task": "declip"}))["trials"]["declip"]
    assert rows["irs"]["refused"] == 2 and rows["irs"]["si_sdr"] == rows["nothing"]["si_sdr"]


def test_an_option_that_a_task_does_not_take_is_told_before_anything_is_rendered(bench: Bench, monkeypatch) -> None:
    monkeypatch.setattr(restoration, "_made", lambda *given: pytest.fail("rendered"))
    with pytest.raises(InvalidOption, match="takes its words from the stems"):
        restoration.measure(bench, Plan(clips=2, seconds=0.4, restore=TINY | {"prompt": "rain"}))


def test_a_loss_is_reported_as_one() -> None:
    row = {"lsd": 1.0, "log_mel": 0.5, "si_sdr": 3.0, "frechet": 0.1, "cpu_s": 1.0, "refused": 0}
    trials = {"declip": {"nothing": row, "classical": row | {"si_sdr": 9.0}, "irs": row | {"si_sdr": 6.0}},
              "denoise": {"nothing": row, "classical": row, "irs": row | {"si_sdr": 6.0}},
              "inpaint 50 ms": {"nothing": row, "classical": row, "irs": row | {"log_mel": 0.6}}}
    assert [finding.met for finding in restoration.findings({"trials": trials})] == [False, True, False]


def test_too_few_sounds_are_not_measured(bench: Bench) -> None:
    with pytest.raises(NotMeasured, match="server.measure.fetch"):
        restoration.measure(replace(bench, held_out=None))
    with pytest.raises(NotMeasured, match="0.7 s long"):
        restoration.measure(bench, Plan(seconds=0.7))
    with pytest.raises(NotMeasured, match="--clips 2"):
        restoration.measure(bench, Plan(clips=1, seconds=0.4))


def test_published_rows_are_rows_of_trials() -> None:
    for title, rows in diffmusic.AUDIOLDM2.items():
        assert title in TRIALS and set(rows) <= set(Plan().rows)
        assert set(diffmusic.MUSICLDM[title]) == set(diffmusic.ALGORITHMS)
    assert diffmusic.told("denoise", "irs") == ""


def test_orders_stand_beside_the_printed_ones() -> None:
    rows = {"irs": (0.3, 2.0), "dps": (0.2, 1.0), "dsg": (0.3004, 3.0), "irs, no VMC": (0.4, 1.5)}
    trials = {"inpaint 1000 ms": {name: {"lsd": lsd, "frechet": frechet} for name, (lsd, frechet) in rows.items()}}
    assert diffmusic.orders(trials)[2:] == [
        "| inpaint 1000 ms | LSD | dps < irs = dsg | dps < irs < dsg | dps < irs < dsg |",
        "| inpaint 1000 ms | Frechet / FAD | dps < irs < dsg | irs < dps < dsg | irs < dps < dsg |",
        "| inpaint 1000 ms | LSD | irs < irs, no VMC | irs < irs, no VMC |  |",
        "| inpaint 1000 ms | Frechet / FAD | irs, no VMC < irs | irs < irs, no VMC |  |",
    ]
    assert diffmusic.orders({"inpaint 1000 ms": {"irs": {"lsd": 1.0, "frechet": 1.0}}}) == []
