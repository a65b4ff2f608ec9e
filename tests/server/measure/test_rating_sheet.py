# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import re

import pytest

from server.errors import InvalidInput
from server.measure import rating_sheet
from server.measure.bench import Bench
from server.measure.rating_sheet import KINDS, Plan, ratings

KEY = {"1-1": {"kind": "plain mix", "original": "b"}, "1-2": {"kind": "between", "original": "a"}}


@pytest.fixture(scope="module")
def sheet(studio, sounds, tmp_path_factory):
    bench = Bench(studio, tmp_path_factory.mktemp("bench"), held_out=sounds, seed=5)
    return rating_sheet.measure(bench, Plan(sets=1, seconds=0.3, steps=6)), bench.folder


def test_the_page_plays_every_clip_and_tells_none(sheet):
    figures, folder = sheet
    page = (folder / figures["page"]).read_text()
    played = re.findall(r'src="([^"]+)"', page)
    assert played == ["1a.wav", "1b.wav", *(f"1-{k}.wav" for k in (1, 2, 3, 4))]
    assert all((folder / "rating_sheet" / name).is_file() for name in played)
    assert not any(kind in page for kind in KINDS) and page.count("<select") == 12
    key = json.loads((folder / figures["key"]).read_text())
    assert sorted(about["kind"] for about in key.values()) == sorted(KINDS)
    assert "rating_key.json" in rating_sheet.lines(figures)[0] and rating_sheet.findings(figures) == []


def test_ratings_are_turned_round_where_the_original_was_b(tmp_path):
    first, second = tmp_path / "x.csv", tmp_path / "y.csv"
    first.write_text("clip,a,b,one\n1-1,1,5,2\n1-2,4,2,5\n")
    second.write_text("clip,a,b,one\n1-1,3,4,1\n1-2,,,\n")
    assert ratings(KEY, [first, second]) == {
        "between": {"original": 4, "reference": 2, "one": 5, "ratings": 1},
        "plain mix": {"original": 4.5, "reference": 2, "one": 1.5, "ratings": 2}}


def test_the_table_of_means(tmp_path, capsys):
    (tmp_path / "key.json").write_text(json.dumps(KEY))
    (tmp_path / "x.csv").write_text("clip,a,b,one\n1-2,4,2,5\n")
    assert rating_sheet.main([str(tmp_path / "key.json"), str(tmp_path / "x.csv")]) == 0
    assert "| between | 4.00 | 2.00 | 5.00 | 1 |" in capsys.readouterr().out
    assert rating_sheet.main([]) == 2
    assert rating_sheet.main([str(tmp_path / "key.json"), str(tmp_path / "lost.csv")]) == 2
    assert "lost.csv" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["clip,a\n1-1,1\n", "clip,a,b,one\n9-9,1,1,1\n", "clip,a,b,one\n1-1,6,1,1\n",
                                  "clip,a,b,one\n1-1,23,1,1\n"])
def test_what_is_no_answer_is_refused(tmp_path, text):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(InvalidInput):
        ratings(KEY, [tmp_path / "x.csv"])
