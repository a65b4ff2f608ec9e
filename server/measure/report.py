# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of an evaluation as rows of the table of aims and as a page of Markdown. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from server.measure.bench import Finding
from server.measure.parts import PARTS

VERDICTS = {True: "met", False: "short", None: ""}


def findings(figures: dict[str, Any]) -> list[Finding]:
    """The rows of every part that was measured, in the order of the parts."""
    return [finding for name, part in PARTS.items() if name in figures["parts"] and "figures" in figures["parts"][name]
            for finding in part.module.findings(figures["parts"][name]["figures"])]


def not_measured(figures: dict[str, Any]) -> list[tuple[str, str]]:
    """Part and reason of every part that could not be measured."""
    return [(name, figures["parts"][name]["not_measured"]) for name in PARTS
            if "not_measured" in figures["parts"].get(name, {})]


def page(figures: dict[str, Any], pictures: Sequence[str] = ()) -> str:
    """Markdown of what `evaluate` keeps in figures.json: the table of aims, then each part in full.

    `pictures` are file names beside the page.
    """
    model = figures["model"]
    made = [f"# {model['name']}, measured", "",
            f"{model['layout']} layout, {model['sample_rate']} Hz, {'stereo' if model['channels'] == 2 else 'mono'}, up to "
            f"{model['max_s']:.2f} s; revision {model['revision'][:20]}; seed {figures['seed']}."]
    if figures["quick"]:
        made += ["", "**Measured in a hurry, on a few classes and clips: this shows that the measurement runs, not how "
                 "good the model is.**"]
    made += ["", *table(findings(figures))]
    for name, why in not_measured(figures):
        made += ["", f"Not measured: {PARTS[name].title.lower()}. {why}"]
    for name, part in PARTS.items():
        found = figures["parts"].get(name, {})
        if "figures" in found:
            made += ["", f"## {part.title}", "", *part.module.lines(found["figures"]), "",
                     f"Took {found['seconds'] / 60:.1f} minutes."]
    for picture in pictures:
        made += ["", f"![{picture}]({picture})"]
    return "\n".join(made) + "\n"


def table(rows: Sequence[Finding]) -> list[str]:
    """The table of aims as Markdown."""
    return ["| | aim | figure | |", "|---|---|---|---|",
            *(f"| {row.what} | {row.aim} | {row.figure} | {VERDICTS[row.met]} |" for row in rows)]
