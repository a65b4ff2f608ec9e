# SPDX-License-Identifier: GPL-3.0-or-later
"""Does an edit say the new words and keep the old sound? The editing paper's figure 8, offline.

Held-out recordings, each edited towards another class from several strengths by each method. Adherence is the judge's
log-probability of the class asked for, by the ear that has not learned from that recording (the paper: CLAP); the distance
to the clip is LPAPS in the bench's embedding (the paper: CLAP), and in log-mel. A method's curve lies inside another's if
it is nearer to the clip wherever both adhere equally. Last, how far a selection's edit leaks into the rest, in latents,
with the pull-back and without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from server.audio import Clip
from server.kinds import parse_options
from server.measure import judge as judges
from server.measure.bench import Bench, Finding
from server.measure.clap import Clap
from server.measure.embedding import Hearing
from server.measure.fusion_window import pairs
from server.measure.held_out import Sound
from server.measure.log_mel_distance import log_mel_distance
from server.measure.lpaps import lpaps
from server.measure.probes import at_model, round_trip
from server.measure.prompts import prompt_of
from server.methods.fitting import MODEL_PEAK, repeat_to

METHODS = ("ddpm", "sdedit", "ddim")
DISTANCES = {"lpaps": "LPAPS", "log_mel": "nat of log-mel"}
PUBLISHED = "figure 6, at a CLAP score of about 0.34: LPAPS 4.29 ddpm, 4.87 SDEdit, 6.26 DDIM inversion (MusicGen 5.74)"
_RESAMPLED = 1000


@dataclass(frozen=True)
class Plan:
    """What is edited: recordings, the strengths tried on each, seconds of each clip, options of `edit` for all.

    selected: on how many of them leakage is measured, with the middle third selected.
    """

    edits: int = 50
    strengths: Sequence[float] = (0.2, 0.4, 0.6, 0.8)
    seconds: float = 3.0
    selected: int = 8
    methods: Sequence[str] = METHODS
    options: Mapping[str, Any] = field(default_factory=dict)


def measure(bench: Bench, plan: Plan | None = None, judge: judges.Plan | None = None) -> dict:
    """Adherence and distances of every method at every strength; the gaps between the curves; leakage.

    Raises:
        NotMeasured: there are no held-out sounds or no corpus for the judge, or the model does not render so long.
        InvalidOption: an option that one of the methods does not take, before anything is rendered.
    """
    plan = plan or Plan()
    bench.need_seconds(plan.seconds)
    for method in plan.methods:
        parse_options("edit", {"to": ["any"], "method": method, **plan.options})
    told = judges.judge_of(bench, judge)
    known = [sound for sound in bench.need_held_out().drawn(4, bench.seed) if sound.class_name in told.names]
    drawn = list(pairs(known, plan.edits, bench.seed))
    found, leaks = {name: [] for name in ("clip", "round_trip", *plan.methods)}, []
    for number, (sound, other) in enumerate(drawn):
        bench.report(number, len(drawn), f"{sound.class_name} to {other.class_name}" + _so_far(found))
        clip = clip_of(bench, sound, plan.seconds)
        made = {"clip": [clip], "round_trip": [round_trip(bench.backbone, clip)]}
        made |= {method: _edited(bench, plan, clip, sound, other, method) for method in plan.methods}
        for name, clips in made.items():
            found[name].append(judged(bench.hearing, told, clips, clip, sound, other))
        if number < plan.selected:
            leaks.append(_leaks(bench, plan, clip, sound, other))
    return {"plan": asdict(plan), "edits": [[a.class_name, b.class_name] for a, b in drawn], "classes": len(told.names),
            "embedding": bench.hearing.name,
            "guidance_target": _guidance(bench, plan), "found": found, **summary(found), "leakage": _leakage(leaks)}


def summary(found: Mapping[str, Sequence[Sequence[Mapping[str, float]]]]) -> dict:
    """Means per method and strength, and the gaps between ddpm's curve and the others', by each distance."""
    means = {name: [{key: round(float(np.mean([row[k][key] for row in rows])), 4) for key in rows[0][0]}
                    for k in range(len(rows[0]))] for name, rows in found.items()}
    gaps = {name: {distance: gap(_table(found["ddpm"], distance), _table(found[name], distance)) for distance in DISTANCES}
            for name in ("sdedit", "ddim") if name in found and "ddpm" in found}
    return {"means": means, "gaps": gaps}


def gap(ours: np.ndarray, theirs: np.ndarray) -> dict[str, Any] | None:
    """How much nearer `ours` is to the clips at equal adherence, over the adherence that both reach.

    Args:
        ours, theirs: [clips, strengths, 2], adherence and distance.

    Returns:
        mean gap (above 0: ours lies inside), the share of the common range where it is above 0, and the share of
        resamplings of the clips where the mean is; None where the curves have no adherence in common.
    """
    levels = _common(_curve(ours), _curve(theirs))
    if levels is None:
        return None
    differences = _at(_curve(theirs), levels) - _at(_curve(ours), levels)
    rng, above, counted = np.random.default_rng(0), 0, 0
    for _ in range(_RESAMPLED):
        rows = rng.integers(len(ours), size=len(ours))
        a, b = _curve(ours[rows]), _curve(theirs[rows])
        common = _common(a, b)
        if common is not None:
            counted += 1
            above += float((_at(b, common) - _at(a, common)).mean()) > 0.0
    return {"gap": round(float(differences.mean()), 4), "inside": round(float((differences > 0).mean()), 3),
            "resampled": round(above / max(counted, 1), 3), "adherence": [round(float(v), 3) for v in levels[[0, -1]]]}


def _so_far(found: Mapping[str, Sequence[Sequence[Mapping[str, float]]]]) -> str:
    """The gaps by LPAPS over the clips that are done, for who cannot wait for all; "" before the first."""
    gaps = summary(found)["gaps"] if found["clip"] else {}
    return "".join(f"; {found_gap['lpaps']['gap']:+.2f} LPAPS nearer than {name} so far"
                   for name, found_gap in gaps.items() if found_gap["lpaps"])


def _table(rows: Sequence[Sequence[Mapping[str, float]]], distance: str) -> np.ndarray:
    return np.array([[(one["adherence"], one[distance]) for one in row] for row in rows])


def _curve(table: np.ndarray) -> np.ndarray:
    """[strengths, 2]: mean adherence and distance over the clips, in order of adherence."""
    means = table.mean(axis=0)
    return means[np.argsort(means[:, 0])]


def _common(a: np.ndarray, b: np.ndarray, points: int = 50) -> np.ndarray | None:
    low, high = max(a[0, 0], b[0, 0]), min(a[-1, 0], b[-1, 0])
    return np.linspace(low, high, points) if low < high else None


def _at(curve: np.ndarray, levels: np.ndarray) -> np.ndarray:
    return np.interp(levels, curve[:, 0], curve[:, 1])


def clip_of(bench: Bench, sound: Sound, seconds: float) -> Clip:
    """The recording at the model's rate and the level that the model is shown."""
    facts = bench.backbone.facts
    clip = at_model(bench.backbone, repeat_to(sound.clip(facts.sample_rate), round(seconds * facts.sample_rate)))
    return Clip(clip.samples * np.float32(MODEL_PEAK / max(float(np.abs(clip.samples).max()), 1e-9)), clip.sample_rate)


def _asked(plan: Plan, sound: Sound, other: Sound, method: str) -> dict[str, Any]:
    return {"to": [prompt_of(other.class_name)], "from": prompt_of(sound.class_name), "method": method, **plan.options}


def _edited(bench: Bench, plan: Plan, clip: Clip, sound: Sound, other: Sound, method: str) -> list[Clip]:
    """From the strongest on, so that the inversion is made once."""
    clips = {strength: bench.studio("edit", {"clip": clip}, strength=strength, **_asked(plan, sound, other, method))[0].clip
             for strength in sorted(plan.strengths, reverse=True)}
    return [clips[strength] for strength in plan.strengths]


def judged(hearing: Hearing, told: judges.Judge, clips: Sequence[Clip], clip: Clip, sound: Sound, other: Sound
           ) -> list[dict[str, float]]:
    """Of each of `clips`, made of `clip`, a recording `sound`: log-probability of the class of `other` by the ear that may
    judge (`heard`: 1 where no class is likelier), LPAPS and log-mel distance (nat) to the clip."""
    scores = told.of_clips(clips, [sound] * len(clips))
    target = told.names.index(other.class_name)
    return [{"adherence": round(float(row[target]), 4), "heard": float(row.argmax() == target),
             "lpaps": round(lpaps(hearing, made, clip), 4), **_worded(hearing, made, other),
             "log_mel": round(float(log_mel_distance(made.samples, clip.samples, clip.sample_rate).mean()), 4)}
            for row, made in zip(scores, clips, strict=True)]


def _worded(hearing: Hearing, made: Clip, other: Sound) -> dict[str, float]:
    """With CLAP, how far a clip agrees with the words that were asked for (CLAP-T)."""
    if not (isinstance(hearing, Clap) and hearing.hears_words):
        return {}
    return {"text": round(hearing.text_agreement(made, prompt_of(other.class_name)), 4)}


def _leaks(bench: Bench, plan: Plan, clip: Clip, sound: Sound, other: Sound) -> dict[str, float]:
    select = f"{clip.duration_s / 3:.3f}:{clip.duration_s * 2 / 3:.3f}"
    return {name: bench.studio("edit", {"clip": clip}, select=select, pull_back=pull_back,
                               **_asked(plan, sound, other, "ddpm"))[0].provenance["leakage"]
            for name, pull_back in (("none", 0.0), ("pulled", 0.025))}


def _leakage(leaks: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    return {"clips": len(leaks), "less": sum(leak["pulled"] < leak["none"] for leak in leaks),
            **{name: round(float(np.mean([leak[name] for leak in leaks])), 4) if leaks else None
               for name in ("none", "pulled")}}


def _guidance(bench: Bench, plan: Plan) -> str:
    """Weight of the target's words for every method, as the jobs had it."""
    asked = plan.options.get("guidance_target")
    own = bench.backbone.facts.guidance
    return str(asked) if asked is not None else f"unset (three times the model's own {own:g}, for ddim 1.25 times)"


def findings(figures: dict) -> list[Finding]:
    """The curves against each other, and leakage."""
    rows = []
    for name, found in figures["gaps"].items():
        rows.append(Finding(f"ddpm against {name} at equal adherence, {len(figures['edits'])} edits",
                            "inside the other's curve everywhere, by LPAPS",
                            ". ".join(_shown(DISTANCES[key], one) for key, one in found.items()),
                            found["lpaps"] is not None and found["lpaps"]["inside"] == 1.0))
    leak = figures["leakage"]
    if leak["clips"]:
        rows.append(Finding(f"leakage out of a selection, in latents, {leak['clips']} edits", "less with the pull-back",
                            f"{leak['pulled']:.3f} with it, {leak['none']:.3f} without; less in {leak['less']}",
                            leak["pulled"] < leak["none"]))
    return rows


def _shown(unit: str, found: Mapping[str, Any] | None) -> str:
    if found is None:
        return f"{unit}: the curves have no adherence in common"
    return (f"nearer to the clip by {found['gap']:+.3f} {unit}, in {found['inside']:.0%} of the common range; so in "
            f"{found['resampled']:.0%} of resamplings")


def lines(figures: dict) -> list[str]:
    """A table of methods and strengths."""
    made = ["| | strength | adherence, log-probability | judged as asked | LPAPS | log-mel, nat |",
            "|---|---|---|---|---|---|"]
    for name, rows in figures["means"].items():
        strengths = figures["plan"]["strengths"] if name in METHODS else [""]
        for strength, one in zip(strengths, rows, strict=True):
            words = f" (CLAP-T {one['text']:.3f})" if "text" in one else ""
            made.append(f"| {name.replace('_', ' ')} | {strength} | {one['adherence']:.2f}{words} | {one['heard']:.0%} | "
                        f"{one['lpaps']:.3f} | {one['log_mel']:.3f} |")
    made += ["", f"{len(figures['edits'])} edits of held-out clips of {figures['plan']['seconds']:g} s towards another of "
             f"{figures['classes']} classes, options {figures['plan']['options']}, target guidance "
             f"{figures['guidance_target']}; LPAPS in {figures.get('embedding', 'what ships')}. Published, {PUBLISHED}."]
    return made
