# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the judge hear in generated clips the class that was asked for? Prompts are the vocabulary's examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch

from server.audio import Clip
from server.measure import judge as judges
from server.measure.bench import Bench, Finding
from server.measure.generated import Plan, generated
from server.measure.picture import Pair, draw
from server.measure.probes import probes
from server.measure.prompts import prompt_of

AIM, AIM_ON_CPU = 0.75, 0.5
CONFUSIONS = 12
PICTURE = "real_and_generated.png"


def measure(bench: Bench, plan: Plan | None = None, judge: judges.Plan | None = None) -> dict:
    """Top-1 and top-3 per class, per group and over all, and what was heard instead; a picture of real and generated clips.

    Raises:
        NotMeasured: there is no corpus to teach the judge with.
    """
    plan = plan or Plan()
    told = judges.judge_of(bench, judge)
    rows, clips_of = [], generated(bench, told.names, plan)
    for name, clips in clips_of.items():
        scores = told.of_clips(clips)
        ranked = [[told.names[k] for k in order[:3]] for order in scores.argsort(1, descending=True).tolist()]
        wanted = told.names.index(name)
        rows.append({"class": name, "prompt": prompt_of(name), "clips": len(clips),
                     "heard": [order[0] for order in ranked],
                     "top1": sum(order[0] == name for order in ranked), "top3": sum(name in order for order in ranked),
                     "probability": round(float(torch.exp(scores[:, wanted]).mean()), 4)})
    _draw(bench, clips_of)
    return {"chance": round(1 / len(told.names), 4), "steps": plan.steps, "seconds": plan.seconds, "seed": bench.seed,
            **_total(rows), "groups": _groups(bench, rows), "classes": rows, "confusions": _confusions(rows)}


def _draw(bench: Bench, clips_of: dict[str, list[Clip]]) -> None:
    """The first generated clip of every class under a real one."""
    real = {probe.class_name: probe for probe in reversed(probes(bench, 1))}
    draw(bench.folder / PICTURE, [
        Pair(f"{name}: {'held-out' if real[name].sound else 'corpus'}" if name in real else "",
             real[name].clip if name in real else None, f"{name}: generated", clips[0])
        for name, clips in clips_of.items()])


def _total(rows: Sequence[dict]) -> dict:
    clips = sum(row["clips"] for row in rows)
    return {"clips": clips, **{key: round(sum(row[key] for row in rows) / max(1, clips), 4) for key in ("top1", "top3")}}


def _groups(bench: Bench, rows: Sequence[dict]) -> dict[str, dict]:
    group_of = {sound["name"]: sound["group"] for sound in bench.need_corpus().known}
    groups = dict.fromkeys(group_of[row["class"]] for row in rows)
    return {group: _total([row for row in rows if group_of[row["class"]] == group]) for group in groups}


def _confusions(rows: Sequence[dict]) -> list[list]:
    """[asked, heard, times], the most frequent first."""
    wrong = Counter((row["class"], heard) for row in rows for heard in row["heard"] if heard != row["class"])
    return [[asked, heard, times] for (asked, heard), times in wrong.most_common(CONFUSIONS)]


def findings(figures: dict) -> list[Finding]:
    """The row of text agreement. A model that was trained on CPUs alone has the lower aim."""
    return [Finding(f"text agreement, {len(figures['classes'])} prompts, {figures['clips']} clips of "
                    f"{figures['seconds']:g} s", f"{AIM:.0%} top-1 ({AIM_ON_CPU:.0%} if only CPUs trained it)",
                    f"{figures['top1']:.0%} top-1, {figures['top3']:.0%} top-3, chance {figures['chance']:.1%}",
                    figures["top1"] >= AIM_ON_CPU)]


def lines(figures: dict) -> list[str]:
    """A table of the prompts, the groups, and the confusions."""
    made = ["| class | prompt | right at first | among three | heard |", "|---|---|---|---|---|"]
    for row in figures["classes"]:
        heard = ", ".join(f"{name} x{times}" if times > 1 else name for name, times in Counter(row["heard"]).most_common())
        made.append(f"| {row['class']} | {row['prompt']} | {row['top1']} of {row['clips']} | {row['top3']} | {heard} |")
    made.append(f"| **all** | | **{figures['top1']:.0%}** | **{figures['top3']:.0%}** | |")
    made += ["", ", ".join(f"{group}: {found['top1']:.0%}" for group, found in figures["groups"].items()) + f". "
             f"{figures['steps']} steps, seed {figures['seed']}, chance {figures['chance']:.1%}."]
    if figures["confusions"]:
        made += ["", "Most often taken for another: " + "; ".join(
            f"{asked} for {heard} ({times})" for asked, heard, times in figures["confusions"]) + "."]
    return made
