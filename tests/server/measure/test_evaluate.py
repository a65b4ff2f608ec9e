# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured, kept and told; the parts themselves are stand-ins here, each has its own test."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import pytest

from server.measure import evaluate as evaluation
from server.measure import report
from server.measure.bench import Finding, NotMeasured
from server.measure.evaluate import Asked, evaluate
from server.measure.parts import PARTS, Part


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """Two stand-in parts, `length` and `needs`; what they were measured with, in order."""
    calls: list[tuple] = []

    def length(bench, size=3):
        calls.append(("length", size, len(bench.held_out.classes())))
        bench.report(0, 1, "a clip")
        return {"size": size}

    def needs(bench):
        calls.append(("needs",))
        bench.need_corpus()

    def findings(figures):
        return [Finding("length", "at least 3", str(figures["size"]), figures["size"] >= 3)]

    parts = {"length": Part(SimpleNamespace(measure=length, findings=findings, lines=lambda f: [f"size {f['size']}"]),
                            "Length", {"size": 1}),
             "needs": Part(SimpleNamespace(measure=needs), "Needs")}
    for module in (evaluation, report):
        monkeypatch.setattr(module, "PARTS", parts)
    return calls


ALL = ("length", "needs")


def test_every_part_is_measured_once_and_kept(bench, measured):
    for _ in range(2):
        figures = evaluate(bench, Asked(ALL))
    assert [call[0] for call in measured] == ["length", "needs", "needs"], "what was not measured is tried again"
    assert json.loads((bench.folder / "figures.json").read_text()) == figures
    assert figures["parts"]["length"]["figures"] == {"size": 3}
    assert "--corpus" in figures["parts"]["needs"]["not_measured"]


@pytest.mark.parametrize("change", [{"seed": 6}, {"quick": True}, {"again": True}, {"arguments": {"length": {"size": 4}}}])
def test_other_sizes_seeds_and_again_measure_again(bench, measured, change):
    evaluate(bench, Asked(("length",)))
    seed = change.pop("seed", bench.seed)
    evaluate(dataclasses.replace(bench, seed=seed), Asked(("length",), **change))
    assert len(measured) == 2


def test_a_hurry_takes_smaller_sizes_and_says_so(bench, measured):
    figures = evaluate(bench, Asked(("length",), quick=True))
    assert measured[0][:2] == ("length", 1)
    assert "in a hurry" in report.page(figures)


def test_the_page_has_the_table_the_parts_and_the_reasons(bench, measured):
    (bench.folder / "page.png").write_bytes(b"")
    told = []
    evaluate(dataclasses.replace(bench, report=lambda *words: told.append(words)), Asked(ALL))
    page = (bench.folder / "report.md").read_text(encoding="utf-8")
    assert "| length | at least 3 | 3 | met |" in page
    assert "## Length\n\nsize 3" in page
    assert "Not measured: needs. This needs the corpus" in page
    assert "![page.png](page.png)" in page
    assert told == [(0, 1, "length: a clip")]


def test_what_comes_as_json_lines(bench, measured):
    told = []
    evaluation._run(bench, Asked(ALL), lambda event, **fields: told.append(event))
    assert told == ["progress", "finding", "not_measured", "report"]


def test_the_real_parts_keep_the_interface():
    assert NotMeasured.code == "not_measured"
    for part in PARTS.values():
        assert all(callable(getattr(part.module, name)) for name in ("measure", "lines", "findings"))
        assert set(part.quick) <= set(part.module.measure.__annotations__)


def arguments(*words: str) -> dict:
    return evaluation._arguments(evaluation._parser().parse_args(["embedded", "--out", "x", *words]))


def test_options_of_fuse_reach_the_fusion_window():
    plan = arguments("--fuse", "reference=none", "--learned-fusions", "2")["fusion_window"]["plan"]
    assert (plan.options, plan.learned, plan.pairs) == ({"reference": "none"}, 2, 20)
    plan = arguments("--clips", "45", "--compared", "0")["separation"]["plan"]
    assert (plan.mixtures, plan.compared) == (45, 0), "0 is a number like others"
    assert arguments() == {}


def test_sizes_reach_the_parts_that_have_them():
    changed = arguments("--pairs", "6", "--levels", "8", "--clips", "4", "--seconds", "2.5", "--learn", "full=true")
    window, gap = changed["fusion_window"]["plan"], changed["learn_gap"]["plan"]
    assert (window.pairs, window.levels, window.seconds, window.learn) == (6, 8, 2.5, {"full": "true"})
    assert (gap.clips, gap.seconds, gap.learn) == (4, 2.5, {"full": "true"})
    assert set(arguments("--clips", "4")) == {name for name, part in PARTS.items() if "clips" in part.sizes}
    hasty = arguments("--quick", "--levels", "5")["fusion_window"]["plan"]
    assert (hasty.pairs, hasty.levels) == (2, 5), "a hurry keeps the sizes that are not said"


def test_options_of_a_job_are_added_to_those_of_a_hurry():
    assert arguments("--quick", "--restore", "vmc=false")["restoration"]["plan"].restore == {
        "steps": 6, "algorithm": "irs", "vmc": "false"}
    assert arguments("--quick", "--separate", "steps=4")["separation"]["plan"].options == {"steps": "4"}


def test_a_hurry_leaves_separation_the_instruments_it_needs(full_bench, measured):
    assert PARTS["separation"].all_sounds
    two = frozenset(full_bench.corpus.names.index(name) for name in ("rain", "drum"))
    bench = dataclasses.replace(full_bench, corpus=dataclasses.replace(full_bench.corpus, classes=two))
    evaluate(bench, Asked(("length",), quick=True))
    evaluation.PARTS["length"] = dataclasses.replace(evaluation.PARTS["length"], all_sounds=True)
    evaluate(bench, Asked(("length",), quick=True))
    assert [n_classes for _, _, n_classes in measured] == [2, 3]
