# SPDX-License-Identifier: GPL-3.0-or-later
"""Does moving the intervention move the sound? Pairs of held-out recordings, fused at levels across the window.

For each pair: Spearman's rank correlation of the level with the likeness to the original (should rise: 1) and to the
reference (should fall: -1), over all levels and over those of the model's own window alone; and whether the fused clips
of the window are more than a crossfade (`crossfade`). The medians over the pairs are what counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from server.audio import Clip
from server.kinds import parse_options
from server.measure.bench import Bench, Finding, NotMeasured
from server.measure.crossfade import beyond_crossfade
from server.measure.held_out import Sound
from server.measure.prompts import prompt_of
from server.methods.context import Output
from server.methods.fitting import repeat_to
from server.models.base import Backbone, FusionWindow

AIM = 0.9
BELOW_DB, ABOVE_DB = 1.0, 14.0
"""How far beyond the model's window levels are tried: above it, up to where the original alone should be heard."""


@dataclass(frozen=True)
class Plan:
    """What is fused: pairs, levels (3 to 20, as many as one job has), seconds of each clip, options of `fuse`.

    learned: how many of the pairs are fused once more with the reference learned first (minutes each); learn: options of
    that.
    """

    pairs: int = 20
    levels: int = 20
    seconds: float = 3.0
    learned: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    learn: Mapping[str, Any] = field(default_factory=dict)


def measure(bench: Bench, plan: Plan | None = None) -> dict:
    """Figures of every pair and their medians; with `plan.learned`, those of learned references under `learned`.

    Raises:
        NotMeasured: there are no held-out sounds, or the model does not render clips that long.
    """
    plan = plan or Plan()
    bench.need_seconds(plan.seconds)
    drawn = list(pairs(bench.need_held_out().drawn(2, bench.seed), plan.pairs, bench.seed))
    total = len(drawn) + plan.learned
    rows = []
    for number, (original, reference) in enumerate(drawn):
        bench.report(number, total, f"{original.class_name} + {reference.class_name}")
        rows.append(_pair(bench, plan, original, reference))
    figures = _overall(rows) | {"plan": asdict(plan), "window": asdict(bench.backbone.facts.fusion)}
    if plan.learned:
        learnt = replace(plan, options={**plan.options, "reference": "learn"})
        rows = []
        for number, (original, reference) in enumerate(drawn[:plan.learned], len(drawn)):
            bench.report(number, total, f"{original.class_name} + {reference.class_name}, learned")
            rows.append(_pair(bench, learnt, original, reference))
        figures["learned"] = _overall(rows)
    return figures


def pairs(sounds: Sequence[Sound], count: int, seed: int) -> Iterator[tuple[Sound, Sound]]:
    """`count` pairs of different classes; every sound once before one comes again.

    Raises:
        NotMeasured: the sounds are of fewer than two classes.
    """
    if len({sound.class_name for sound in sounds}) < 2:
        raise NotMeasured("This needs held-out sounds of two classes at least; fetch them all with "
                          "`python -m server.measure.fetch DIR`.")
    rng = np.random.default_rng([seed, 72])
    waiting: list[Sound] = []
    for _ in range(count):
        if len({sound.class_name for sound in waiting}) < 2:
            waiting = [sounds[i] for i in rng.permutation(len(sounds))]
        first = waiting.pop()
        at = max(i for i, sound in enumerate(waiting) if sound.class_name != first.class_name)
        yield first, waiting.pop(at)


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Rank correlation, equal values sharing their mean rank; 0 where one of the two never changes."""
    a, b = (_ranks(np.asarray(values, float)) for values in (x, y))
    spread = float(np.sqrt(((a - a.mean()) ** 2).sum() * ((b - b.mean()) ** 2).sum()))
    return float(((a - a.mean()) * (b - b.mean())).sum() / spread) if spread else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[which]


def _pair(bench: Bench, plan: Plan, original: Sound, reference: Sound) -> dict:
    rate = bench.backbone.facts.sample_rate
    clips = {role: repeat_to(sound.clip(rate), round(plan.seconds * rate))
             for role, sound in (("original", original), ("reference", reference))}
    options = dict(plan.options)
    if options.get("reference") in ("learn", "prompt"):
        options.setdefault("prompt", prompt_of(reference.class_name))
    if options.get("reference") == "learn":
        bench.studio("learn", {"clip": clips["reference"]}, name="window", prompt=options["prompt"], seed=bench.seed,
                  **plan.learn)
        options["adapter"] = "window"
    outputs = bench.studio("fuse", clips, seed=bench.seed, snr_db=_levels(bench.backbone, plan), **options)
    return {"original": f"{original.class_name}: {original.path.name}",
            "reference": f"{reference.class_name}: {reference.path.name}",
            "led_by": outputs[0].provenance["options"]["reference"],
            **_ranked(outputs, bench.backbone.facts.fusion), **_beyond(bench, clips, outputs)}


def _levels(backbone: Backbone, plan: Plan) -> tuple[float, ...]:
    """Evenly from a little below the model's window to well above it, but within its schedule.

    The last levels are left out: behind them comes the step that ends in the network's answer alone, to the reference.
    """
    options, window = parse_options("fuse", dict(plan.options)), backbone.facts.fusion
    known = backbone.levels(options.steps, options.schedule).snr_db
    high_db = min(window.high_db + ABOVE_DB, float(known[max(options.steps - 3, 0)]))
    return tuple(float(level) for level in np.linspace(window.low_db - BELOW_DB, high_db, plan.levels))


def _ranked(outputs: Sequence[Output], window: FusionWindow) -> dict:
    """Rank correlations, and the curves that they stand for."""
    levels = np.array([output.provenance["snr_db"] for output in outputs])
    near = [output.provenance["likeness"] for output in outputs]
    curves = {name: np.array([one[name] for one in near]) for name in ("original", "reference")}
    inside = _in_window(levels, window)
    return {"rise": round(spearman(levels, curves["original"]), 4), "fall": round(spearman(levels, curves["reference"]), 4),
            "rise_in_window": round(spearman(levels[inside], curves["original"][inside]), 4),
            "fall_in_window": round(spearman(levels[inside], curves["reference"][inside]), 4),
            "between": near[0]["between"], "snr_db": levels.tolist(),
            "likeness": {name: curve.tolist() for name, curve in curves.items()},
            "shares": {name: [one.get(f"{name}_share") for one in near] for name in curves}}


def _beyond(bench: Bench, clips: Mapping[str, Clip], outputs: Sequence[Output]) -> dict:
    """What the best mix leaves of the fused clips of the window, and of the crossfades."""
    inside = _in_window(np.array([output.provenance["snr_db"] for output in outputs]), bench.backbone.facts.fusion)
    fused = [output.clip for output, is_in in zip(outputs, inside, strict=True) if is_in and output.clip is not None]
    if not fused:
        return {}
    found = beyond_crossfade(bench.backbone, clips["original"], clips["reference"], fused)
    return {"left_nat": {name: {kind: round(value, 4) for kind, value in left.items()}
                         for name, left in asdict(found).items()}, "more_than_crossfade": found.is_more}


def _in_window(levels: np.ndarray, window: FusionWindow) -> np.ndarray:
    """Which levels lie in the model's window, to a step of the schedule."""
    return (levels >= window.low_db - 1.0) & (levels <= window.high_db + 1.0)


def _overall(rows: Sequence[dict]) -> dict:
    """Medians over the pairs, shares by level, and the pairs themselves."""
    found: dict[str, Any] = {name: round(float(np.median([row[name] for row in rows])), 4)
                             for name in ("rise", "fall", "rise_in_window", "fall_in_window")}
    found["shares_by_level"] = [
        [round(float(np.median([row["snr_db"][k] for row in rows])), 2),
         *(_median([row["shares"][name][k] for row in rows]) for name in ("original", "reference"))]
        for k in range(len(rows[0]["snr_db"]))]
    compared = [row for row in rows if "left_nat" in row]
    if compared:
        found["left_nat"] = {name: {kind: round(float(np.median([row["left_nat"][name][kind] for row in compared])), 4)
                                    for kind in ("by_band", "whole")} for name in ("fused", "crossfade", "farthest")}
        found["more_than_crossfade"] = sum(row["more_than_crossfade"] for row in compared)
        found["compared"] = len(compared)
    return found | {"pairs": list(rows)}


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.median(known)), 3) if known else None


def findings(figures: dict) -> list[Finding]:
    """Two rows of the table of aims, two more where references were learned."""
    rows = _findings(figures, "fusion window", f"by {figures['pairs'][0]['led_by']}")
    return rows + (_findings(figures["learned"], "fusion window, reference learned", "learned")
                   if "learned" in figures else [])


def _findings(figures: dict, what: str, how: str) -> list[Finding]:
    n_pairs, n_levels = len(figures["pairs"]), len(figures["shares_by_level"])
    rows = [Finding(f"{what}, {n_pairs} pairs x {n_levels} levels", f"median Spearman above {AIM} and below -{AIM}",
                    f"{figures['rise']:.2f} to the original, {figures['fall']:.2f} to the reference",
                    figures["rise"] > AIM and figures["fall"] < -AIM)]
    if "left_nat" in figures:
        left = figures["left_nat"]
        rows.append(Finding(
            f"more than a crossfade ({how})", "fused farther from the best magnitude mix than a latent crossfade",
            f"{left['fused']['by_band']:.2f} against {left['crossfade']['by_band']:.2f} nat; farther in "
            f"{figures['more_than_crossfade']} of {figures['compared']} pairs",
            left["fused"]["by_band"] > left["crossfade"]["by_band"]
            and 2 * figures["more_than_crossfade"] > figures["compared"]))
    return rows


def lines(figures: dict) -> list[str]:
    """The pairs as a table, then the shares by level."""
    made = ["| original | reference | rise | fall | best mix leaves of fused | of crossfade |", "|---|---|---|---|---|---|"]
    for row in figures["pairs"]:
        left = row.get("left_nat")
        shown = [f"{left[name]['by_band']:.2f}" if left else "" for name in ("fused", "crossfade")]
        made.append(f"| {row['original']} | {row['reference']} | {row['rise']:.2f} | {row['fall']:.2f} | {shown[0]} | "
                    f"{shown[1]} |")
    window = f"inside the window of {figures['window']['low_db']:g} to {figures['window']['high_db']:g} dB"
    made += ["", f"Median Spearman {figures['rise']:.2f} and {figures['fall']:.2f}; {window} "
             f"{figures['rise_in_window']:.2f} and {figures['fall_in_window']:.2f}."]
    if "left_nat" in figures:
        left = figures["left_nat"]
        made.append("What the best mix leaves, in nat, with faders for every band (with one pair of faders): "
                    + ", ".join(f"{name} {left[key]['by_band']:.2f} ({left[key]['whole']:.2f})" for name, key in
                                (("fused", "fused"), ("the crossfade that leans alike", "crossfade"),
                                 ("the farthest crossfade", "farthest"))) + ".")
    made += ["", "| level, dB | share of the original | of the reference |", "|---|---|---|"]
    made += [f"| {level:+.1f} | {_shown(o)} | {_shown(r)} |" for level, o, r in figures["shares_by_level"]]
    return made


def _shown(share: float | None) -> str:
    return "" if share is None else f"{share:+.2f}"
