# SPDX-License-Identifier: GPL-3.0-or-later
"""How much does a clip change without words, and does it still sound like sound? The editing paper's figure 9, offline.

Held-out clips are varied along principal components found at several t', from two T_start, and by SDEdit with the clip's
own words from several T_start: as many results of each clip everywhere, since a Frechet distance depends on their number.
Strength is the distance of the results to the clips that they are made of, quality the distance to other held-out sounds
(the paper: the MusicDelta excerpts, and the pieces of FMA-pop, in CLAP). At equal strength, which is nearer to those?
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from server.audio import Clip
from server.kinds.vary import OPEN_DB
from server.measure.bench import Bench, Finding
from server.measure.directions import others
from server.measure.embedding import embed
from server.measure.fad import frechet_distance, halves
from server.measure.held_out import Sound
from server.measure.prompts import prompt_of
from server.measure.t_start import N_STEPS, snr_db
from server.methods.context import Output
from server.methods.fitting import repeat_to

STREAM = 76  # of the order in which clips are drawn
GUIDANCE = 3.0  # of both, as in the paper
BY = "SDEdit"


@dataclass(frozen=True)
class Plan:
    """What is varied: clips, seconds of each, sampler steps, gamma; t_prime and t_start of directions; sdedit: T_start of
    the other; components: directions of each clip, both ways; others: sounds that all are held against."""

    clips: int = 10
    seconds: float = 3.0
    steps: int = 25
    gamma: float = 2.0
    t_prime: Sequence[int] = (65, 80, 95, 115)
    t_start: Sequence[int] = (150, 200)
    sdedit: Sequence[int] = (30, 45, 60, 75, 95, 115)
    components: int = 3
    others: int = 150


def measure(bench: Bench, plan: Plan | None = None) -> dict:
    """Strength and quality of every way to vary.

    Raises:
        NotMeasured: there are no held-out sounds, or the model does not render clips that long.
    """
    plan = plan or Plan()
    bench.need_seconds(plan.seconds)
    sounds = bench.need_held_out().mixed(plan.clips, bench.seed, STREAM)
    ways: dict[str, list[np.ndarray]] = {}
    originals, done = [], 0
    total = len(sounds) * (len(plan.t_prime) + len(plan.sdedit))
    for sound in sounds:
        clip = _cut(bench, sound, plan)
        originals.append(embed(bench.frechet_in, [clip]))
        steps = [*(_along(bench, plan, clip, sound, t) for t in plan.t_prime),
                 *(_sdedit(bench, plan, clip, sound, t) for t in plan.sdedit)]
        for render in steps:
            bench.report(done, total, sound.class_name)
            done += 1
            for name, clips in render().items():
                ways.setdefault(name, []).append(embed(bench.frechet_in, clips))
    real = embed(bench.frechet_in, (_cut(bench, sound, plan) for sound in others(bench, sounds, plan.others)))
    own = np.concatenate(originals)
    points = {name: {"strength": round(frechet_distance(made, own), 4), "quality": round(frechet_distance(made, real), 4)}
              for name, made in ((name, np.concatenate(rows)) for name, rows in ways.items())}
    return {"plan": asdict(plan), "clips": [sound.class_name for sound in sounds], "embedding": bench.frechet_in.name,
            "results": 2 * plan.components * len(sounds), "against": len(real), "points": points,
            "originals": round(frechet_distance(own, real), 4), "halves": round(halves(real), 4)}


def _cut(bench: Bench, sound: Sound, plan: Plan) -> Clip:
    rate = bench.backbone.facts.sample_rate
    return repeat_to(sound.clip(rate), round(plan.seconds * rate))


def _along(bench: Bench, plan: Plan, clip: Clip, sound: Sound, t_prime: int) -> Callable[[], dict[str, list[Clip]]]:
    """Variations from every T_start along the same directions, which are found once."""
    def render() -> dict[str, list[Clip]]:
        made: dict[str, list[Clip]] = {}
        asked: dict[str, Any] = {"prompt": prompt_of(sound.class_name), "guidance": GUIDANCE, "gamma": (plan.gamma,),
                                 "directions": plan.components, "steps": plan.steps}
        with tempfile.TemporaryDirectory() as folder:
            file, found = Path(folder) / "directions.safetensors", {"at": snr_db(t_prime)}
            for t_start in sorted(plan.t_start, reverse=True):
                low = -OPEN_DB if t_start == N_STEPS else snr_db(t_start)
                outputs = bench.studio("vary", {"clip": clip}, range=(low, OPEN_DB), **asked, **found,
                                       files={"from_directions": file} if file.exists() else {})
                made[f"t' {t_prime}, T_start {t_start}"] = _clips(outputs)
                for output in outputs:
                    if output.data is not None:
                        file.write_bytes(output.data)
                        found = {}
        return made

    return render


def _sdedit(bench: Bench, plan: Plan, clip: Clip, sound: Sound, t_start: int) -> Callable[[], dict[str, list[Clip]]]:
    """As many results as there are variations, by seed."""
    def render() -> dict[str, list[Clip]]:
        outputs = [output for k in range(2 * plan.components) for output in bench.studio(
            "edit", {"clip": clip}, to=[prompt_of(sound.class_name)], method="sdedit", snr_db=snr_db(t_start),
            guidance_target=GUIDANCE, steps=plan.steps, seed=bench.seed + k)]
        return {f"{BY}, T_start {t_start}": _clips(outputs)}

    return render


def _clips(outputs: Sequence[Output]) -> list[Clip]:
    return [output.clip for output in outputs if output.clip is not None]


def against(points: dict[str, dict[str, float]]) -> dict[str, float]:
    """How much further from the other sounds SDEdit is than each way along directions, at the same strength.

    Above 0: the directions keep more quality. Strengths that SDEdit does not reach are left out.
    """
    theirs = sorted((one["strength"], one["quality"]) for name, one in points.items() if name.startswith(BY))
    strengths, qualities = zip(*theirs, strict=True)
    return {name: round(float(np.interp(one["strength"], strengths, qualities)) - one["quality"], 4)
            for name, one in points.items()
            if not name.startswith(BY) and strengths[0] <= one["strength"] <= strengths[-1]}


def findings(figures: dict) -> list[Finding]:
    """The figure's one statement."""
    gaps, n = against(figures["points"]), len(figures["clips"])
    what = f"editing fig. 9, {n} clips: quality at equal strength, in {figures['embedding']}"
    if not gaps:
        return [Finding(what, "nearer to other sounds than SDEdit", "the two have no strength in common", False)]
    nearer = sum(gap > 0.0 for gap in gaps.values())
    return [Finding(what, "nearer to other sounds than SDEdit, at every strength",
                    f"nearer by {np.mean(list(gaps.values())):+.3f} on average; in {nearer} of the {len(gaps)} ways whose "
                    "strength SDEdit reaches", nearer == len(gaps))]


def lines(figures: dict) -> list[str]:
    """A table, one row per way."""
    gaps = against(figures["points"])
    made = ["| | strength: distance to the originals | quality: distance to other sounds | nearer than SDEdit by |",
            "|---|---|---|---|"]
    for name, one in sorted(figures["points"].items(), key=lambda item: (item[0].startswith(BY), item[1]["strength"])):
        gap = f"{gaps[name]:+.3f}" if name in gaps else ""
        made.append(f"| {name} | {one['strength']:.3f} | {one['quality']:.3f} | {gap} |")
    plan, n = figures["plan"], len(figures["clips"])
    return made + ["", f"Frechet distances in {figures['embedding']} of {figures['results']} results each, of {n} held-out "
                   f"clips of {plan['seconds']:g} s, gamma {plan['gamma']:g}, to {figures['against']} other sounds; the "
                   f"originals themselves lie at {figures['originals']:.3f}, two halves of the other sounds "
                   f"{figures['halves']:.3f} apart. The paper plots the same without a table of values: its directions lie "
                   "below SDEdit at every strength."]
