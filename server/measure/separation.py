# SPDX-License-Identifier: GPL-3.0-or-later
"""Separation: mixtures of recordings that no model was trained on, taken apart by words alone, held against their stems.

First, all mixtures with the defaults of `separate`: SI-SDR gained by masked stems, beside the ceiling (the same masks made
of the true stems) and NMF; and whether each stem lies nearer to its own source and farther from the other than the mixture
does, in the embedding timbre-1. Then, on mixtures of two events, whether a stem moves toward the class that was asked for
(`stem_classes`). Then, on fewer, the paper's comparisons (`separation_variants`), and how well the same model generates,
for its figure 3b and c (`generation_and_separation`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from server.audio import Clip
from server.errors import InvalidOption
from server.measure import judge as judges
from server.measure import separation_variants as variants
from server.measure import stem_classes, timbre, zerosep
from server.measure.bench import Bench, Finding, NotMeasured
from server.measure.datasets.mixture import Mixture
from server.measure.datasets.offline import BY_CLASS, Instrument, instrument_mixtures
from server.measure.datasets.opened import opened
from server.measure.embedding import frechet_audio_distance
from server.measure.generated import Plan as Generated
from server.measure.generated import generated
from server.methods.masks import split

AIM_DB, AIM_SHARE, AIM_PEAK = 0.0, 0.8, (0.5, 1.5)
"""Mean gain (of a model trained on processors alone), share of pairs and of moved mixtures, where guidance is best."""


@dataclass(frozen=True)
class Plan:
    """mixtures: of all pairs in turn; seconds of each; instruments; options of `separate`. events: mixtures for the
    classes, None for half as many; compared: how many of the mixtures the comparisons use; generated: clips of each class
    that the model makes; of_each: held-out sounds of each class that those are held against."""

    mixtures: int = 180
    events: int | None = None
    compared: int = 20
    generated: int = 1
    of_each: int = 4
    seconds: float = 5.0
    instruments: Sequence[Instrument] = BY_CLASS
    options: Mapping[str, Any] = field(default_factory=dict)


def measure(bench: Bench, plan: Plan | None = None, judge: judges.Plan | None = None) -> dict:
    """Figures of every mixture, by pair, of the classes, and of the comparisons.

    Raises:
        NotMeasured: there are no held-out sounds, they lack an instrument, or the model does not render clips that long.
    """
    plan = plan or Plan()
    bench.need_seconds(plan.seconds)
    mixtures = _mixtures(bench, plan)
    few = few_of(mixtures, plan.compared)
    events = _events(bench, plan)
    total, rows = len(mixtures) + events + (len(variants.names()) - 1) * len(few), []

    def masked(mixture: Mixture) -> list[Clip]:
        return variants.separated(bench, mixture, {**plan.options, "stems": "masked"})["stem"]

    for number, mixture in enumerate(mixtures):
        bench.report(number, total, mixture.name)
        rows.append(_row(mixture, masked(mixture), bench.seed))
    classes = stem_classes.measure(bench, masked, events, plan.seconds, _rate(bench), judge,
                                   lambda number, name: bench.report(len(mixtures) + number, total, name))
    labels = [played.label for played in plan.instruments]
    compared = variants.compare(bench, few, plan.options, labels, lambda number, name: bench.report(
        len(mixtures) + events + number, total, name)) if few else {}
    said = {**asdict(plan), "instruments": labels}
    return {"plan": said, "embedding": bench.heard_in, **_overall(rows), "classes": classes, "compared": compared,
            "compared_mixtures": len(few), "round_trip": variants.round_trips(bench, few),
            "generation": _generation(bench, plan), "mixtures": rows}


def few_of(mixtures: Sequence[Mixture], count: int) -> list[Mixture]:
    """`count` of the mixtures, spread over them: one of each pair of sounds before any pair has a second."""
    found: dict[tuple[str, ...], int] = {}
    for place, mixture in enumerate(mixtures):
        found.setdefault(tuple(mixture.stems), place)
    first = set(found.values())
    chosen: list[Mixture] = []
    for places in (sorted(first), [place for place in range(len(mixtures)) if place not in first]):
        left = count - len(chosen)
        chosen += [mixtures[place] for place in places[:: max(len(places) // max(left, 1), 1)][:left]]
    return chosen


def _events(bench: Bench, plan: Plan) -> int:
    """How many mixtures of events; none where there is nothing to make them of."""
    return 0 if bench.held_out is None else plan.mixtures // 2 if plan.events is None else plan.events


def _rate(bench: Bench) -> int:
    return min(bench.backbone.facts.sample_rate, 32000)


def _generation(bench: Bench, plan: Plan) -> dict[str, Any]:
    """Frechet distance of clips made from the prompts of the held-out classes to the sounds of those classes."""
    if bench.held_out is None or not plan.generated:
        return {}
    steps = int(plan.options.get("steps", Generated.steps))
    made = generated(bench, bench.held_out.classes(), Generated(plan.generated, plan.seconds, steps))
    clips = [clip for of_class in made.values() for clip in of_class]
    real = [sound.clip(_rate(bench), plan.seconds) for sound in bench.held_out.drawn(plan.of_each, bench.seed)]
    distance = frechet_audio_distance(bench.frechet_in, clips, real)
    return {"frechet": round(distance, 4), "clips": len(clips), "against": len(real)}


def _mixtures(bench: Bench, plan: Plan) -> list[Mixture]:
    pairs = len(plan.instruments) * (len(plan.instruments) - 1) // 2
    rate = _rate(bench)
    try:
        if bench.data:
            found = opened(bench.data, bench.held_out, seconds=plan.seconds, sample_rate=rate, seed=bench.seed)
            if not (mixtures := list(islice(found, plan.mixtures))):
                raise NotMeasured(f"No mixture of {bench.data} has two stems that are heard in its {plan.seconds:g} s.")
            return mixtures
        return instrument_mixtures(bench.need_held_out(), bench.seed, instruments=plan.instruments, seconds=plan.seconds,
                                   per_pair=-(-plan.mixtures // pairs), sample_rate=rate)[: plan.mixtures]
    except InvalidOption as lacking:
        raise NotMeasured(lacking.message) from None


def _row(mixture: Mixture, stems: Sequence[Clip], seed: int) -> dict[str, Any]:
    """One mixture: gains in dB of ours, of NMF (paired with the sources as is best for it) and of the ceiling; moves."""
    sources = list(mixture.stems.values())
    highest = mixture.clip.sample_rate / 2
    ceiling = split(mixture.clip, sources, mixture.clip, highest).stems
    return {"name": mixture.name, "pair": " + ".join(mixture.stems), "gain_db": variants.gains_db(mixture, stems),
            "ceiling_db": variants.gains_db(mixture, ceiling),
            "nmf_db": variants.gains_db(mixture, variants.by_nmf(mixture, seed)),
            "moved": _moved(mixture, stems), "true_moved": _moved(mixture, sources)}


def _moved(mixture: Mixture, stems: Sequence[Clip]) -> list[bool]:
    """Of every stem, whether it is nearer to its source, and farther from every other, than the mixture is."""
    sources = np.array([timbre.embed(source) for source in mixture.stems.values()])
    return stem_classes.moved(sources @ timbre.embed(mixture.clip),
                              sources @ np.array([timbre.embed(stem) for stem in stems]).T)


def _overall(rows: Sequence[dict]) -> dict[str, Any]:
    """Means over all stems, by pair, and shares."""
    pairs: dict[str, list[dict]] = {}
    for row in rows:
        pairs.setdefault(row["pair"], []).append(row)
    by_pair = {pair: {name: round(float(np.mean([of[name] for of in found])), 2)
                      for name in ("gain_db", "nmf_db", "ceiling_db")} for pair, found in pairs.items()}
    means = {name: round(float(np.mean([row[name] for row in rows])), 3) for name in ("gain_db", "nmf_db", "ceiling_db")}
    return {**means, "positive_pairs": round(float(np.mean([row["gain_db"] > 0 for row in by_pair.values()])), 3),
            "positive_stems": round(float(np.mean([np.array(row["gain_db"]) > 0 for row in rows])), 3),
            **{name: round(float(np.mean([row[name] for row in rows])), 3) for name in ("moved", "true_moved")},
            "pairs": by_pair}


def findings(figures: dict) -> list[Finding]:
    """Rows of the table of aims."""
    n, n_pairs, classes = len(figures["mixtures"]), len(figures["pairs"]), figures["classes"]
    made = [
        Finding(f"separation, {n} mixtures of {n_pairs} pairs", f"mean SI-SDR gain of masked stems above {AIM_DB:g} dB",
                f"{figures['gain_db']:.2f} dB; NMF {figures['nmf_db']:.2f}, ceiling {figures['ceiling_db']:.2f}",
                figures["gain_db"] > AIM_DB),
        Finding("separation by pair", f"gain positive for {AIM_SHARE:.0%} of pairs", f"{figures['positive_pairs']:.0%}",
                figures["positive_pairs"] >= AIM_SHARE),
        Finding("stems toward their source and away from the other", f"{AIM_SHARE:.0%} of stems",
                f"{figures['moved']:.0%}; the true stems {figures['true_moved']:.0%}", figures["moved"] >= AIM_SHARE),
    ]
    if "not_measured" not in classes:
        made.append(Finding(f"stems toward the class asked for and away from the other, {len(classes['mixtures'])} mixtures"
                            " of events", f"{AIM_SHARE:.0%} of stems",
                            f"{classes['moved']:.0%}; the true stems {classes['ceiling']:.0%}",
                            classes["moved"] >= AIM_SHARE))
    if figures["compared"]:
        curve = {weight: figures["compared"][f"guidance {weight:g}"]["gain_db"] for weight in variants.GUIDANCE}
        best = max(curve, key=curve.get)
        made.append(Finding(f"guidance, {figures['compared_mixtures']} mixtures", "best near 1",
                            "; ".join(f"{weight:g}: {gain:.2f} dB" for weight, gain in curve.items()),
                            AIM_PEAK[0] <= best <= AIM_PEAK[1]))
    return made


def lines(figures: dict) -> list[str]:
    """Pairs, classes, comparisons with the published figures beside, and what they mean."""
    plan, generation = figures["plan"], figures["generation"]
    made = [f"{len(figures['mixtures'])} mixtures of {plan['seconds']:g} s at equal level; "
            f"{figures['positive_stems']:.0%} of all stems gain.", "",
            "| pair | gain, dB | NMF | ceiling |", "|---|---|---|---|"]
    made += [f"| {pair} | {row['gain_db']:.1f} | {row['nmf_db']:.1f} | {row['ceiling_db']:.1f} |"
             for pair, row in figures["pairs"].items()]
    made += ["", stem_classes.line(figures["classes"])]
    if figures["compared"]:
        made += ["", *variants.lines(figures["compared"], figures["compared_mixtures"], figures["embedding"])]
    if generation:
        made += ["", f"Generation: Frechet distance {generation['frechet']:.3f} of {generation['clips']} clips made from "
                 f"the classes' prompts to {generation['against']} held-out sounds (for figure 3b and c)."]
    return [*made, "", *variants.lines_of_table_3(figures["round_trip"]), "", *NOTES]


NOTES = (
    "Gain: SI-SDR of the masked stem less that of the mixture. Ceiling: the same masks made of the true stems. NMF: 20 "
    "components grouped by MFCC, its groups paired with the sources as is best for it. Agreement: cosine of generated stem "
    "and source in the embedding that the table names; stages: LPAPS' distance in its network (beside timbre-1, in the "
    "embedded model's encoder). Only in CLAP are they, and the Frechet distance, what the paper has; of so few clips "
    "the latter compares the rows of one table alone.",
    "",
    f"Published: {zerosep.ABOUT}",
)
