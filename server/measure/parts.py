# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of an evaluation in the order in which they are measured, and how much each does by default and in a hurry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from server.measure import (
    agreement,
    copies,
    directions,
    edit_start,
    editing,
    eigenvalues,
    fusion_figures,
    fusion_window,
    generated,
    judge,
    learn_gap,
    mel_classifier,
    rating_sheet,
    rebuild,
    restoration,
    separation,
    speed,
    variety,
    vary_quality,
)


@dataclass(frozen=True)
class Part:
    """One part: its module (`bench`), its heading in the report, and arguments of `measure` for a hurry.

    sizes: which field of its plan an option of the command line sets. of_paper: the tables of a paper, which take long and
    are measured only where they are asked for by name. all_sounds: in a hurry too it has held-out sounds of every class.
    """

    module: ModuleType
    title: str
    quick: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, str] = field(default_factory=dict)
    of_paper: bool = False
    all_sounds: bool = False


def _alike(*names: str) -> dict[str, str]:
    """Options that are called as the plan's fields are."""
    return {name: name for name in names}


_FEW = generated.Plan(clips=2, seconds=2.0, steps=10)
_HASTY_JUDGE = judge.Plan(corpus_clips=8, through=1, test_clips=2, course=mel_classifier.Course(steps=30))

PARTS: Mapping[str, Part] = {
    "rebuild": Part(rebuild, "Round trip", {"per_class": 1}),
    "judge": Part(judge, "The judge", {"plan": _HASTY_JUDGE}),
    "agreement": Part(agreement, "Text agreement", {"plan": _FEW, "judge": _HASTY_JUDGE}),
    "variety": Part(variety, "Variety", {"plan": _FEW, "real_clips": 2}),
    "copies": Part(copies, "Copies", {"plan": _FEW, "unseen_clips": 1}),
    "fusion_window": Part(fusion_window, "Fusion window", {"plan": fusion_window.Plan(pairs=2, levels=6, seconds=2.0)},
                          _alike("pairs", "levels", "seconds", "learn")
                          | {"fuse": "options", "learned_fusions": "learned"}),
    "learn_gap": Part(learn_gap, "Learning", {"plan": learn_gap.Plan(clips=1, seconds=2.0, learn={"learn_steps": 30})},
                      _alike("clips", "seconds", "learn")),
    "speed": Part(speed, "Speed", {"plan": speed.Plan(repeats=1, jobs=("generate", "fuse"))}),
    "fusion_figures": Part(fusion_figures, "The fusion paper's figures",
                           {"plan": fusion_figures.Plan(clips=1, seconds=2.0, steps=10)}, _alike("clips", "seconds"),
                           of_paper=True),
    "separation": Part(separation, "Separation (ZeroSep)",
                       {"plan": separation.Plan(mixtures=2, compared=1, seconds=2.0, options={"steps": 8}),
                        "judge": _HASTY_JUDGE},
                       {"clips": "mixtures", "seconds": "seconds", "compared": "compared", "separate": "options"},
                       of_paper=True, all_sounds=True),
    "restoration": Part(restoration, "Restoration (DiffMusic)",
                        {"plan": restoration.Plan(clips=2, seconds=1.5, restore={"steps": 6, "algorithm": "irs"})},
                        _alike("clips", "seconds", "restore"), of_paper=True),
    "editing": Part(editing, "Editing by words",
                    {"plan": editing.Plan(edits=2, strengths=(0.4, 0.8), seconds=1.0, selected=1, options={"steps": 8}),
                     "judge": _HASTY_JUDGE}, {"clips": "edits", "seconds": "seconds", "edit": "options"}, of_paper=True),
    "edit_start": Part(edit_start, "Where an edit begins (editing paper, figure 5)",
                       {"plan": edit_start.Plan(clips=1, seconds=1.0, steps=8, t_start=(40, 100)), "judge": _HASTY_JUDGE},
                       _alike("clips", "seconds"), of_paper=True),
    "uncertainty": Part(eigenvalues, "Uncertainty (editing paper, figure 11)",
                        {"plan": eigenvalues.Plan(clips=1, seconds=1.0, snr_db=(-10.0, 10.0))}, _alike("clips", "seconds"),
                        of_paper=True),
    "directions": Part(directions, "Directions (editing paper, appendix E)",
                       {"plan": directions.Plan(clips=1, seconds=2.0, steps=10, random=4, matched=4)},
                       _alike("clips", "seconds"), of_paper=True),
    "vary_quality": Part(vary_quality, "Strength and quality without words (editing paper, figure 9)",
                         {"plan": vary_quality.Plan(clips=2, seconds=1.0, steps=10, t_prime=(80,), sdedit=(40, 100),
                                                    components=1)}, _alike("clips", "seconds"), of_paper=True),
    "rating_sheet": Part(rating_sheet, "Rating sheet", {"plan": rating_sheet.Plan(sets=1, seconds=2.0, steps=10)},
                         {"pairs": "sets", "seconds": "seconds"}, of_paper=True),
}
AIMS = tuple(name for name, part in PARTS.items() if not part.of_paper)
PAPERS = tuple(name for name, part in PARTS.items() if part.of_paper)
QUICK_CLASSES = 6
