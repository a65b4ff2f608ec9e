# SPDX-License-Identifier: GPL-3.0-or-later
"""Separation: mixtures of recordings that no model was trained on, taken apart by words alone, held against their stems.

First, all mixtures with the defaults of `separate`: SI-SDR gained by masked stems, beside the ceiling (the same masks made
of the true stems) and NMF; and whether each stem lies nearer to its own source and farther from the other than the mixture
does, in the embedding timbre-1. Then, on fewer, the paper's comparisons: guidance (its figure 3a), inversion (table 2),
prompts (table 4), an autoencoder's round trip (table 3). There the generated stems are judged too, with timbre-1 where the
paper has CLAP and the embedded model's encoder where it has LPAPS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from server.audio import Clip, fold_mono, resample, to_length
from server.errors import InvalidOption
from server.kinds import parse_options
from server.measure import timbre, zerosep
from server.measure.baselines import nmf
from server.measure.bench import Bench, Finding, NotMeasured
from server.measure.bss import bss_eval
from server.measure.clap import Clap
from server.measure.datasets.mixture import Mixture
from server.measure.datasets.offline import BY_CLASS, Instrument, instrument_mixtures
from server.measure.datasets.opened import opened
from server.measure.embedding import Hearing, audio_agreement, frechet_audio_distance
from server.measure.lpaps import lpaps
from server.measure.probes import at_model, round_trip
from server.measure.si_sdr import si_sdr_gain_db
from server.methods.masks import split

AIM_DB, AIM_SHARE, AIM_PEAK = 0.0, 0.8, (0.5, 1.5)
"""Mean gain (of a model trained on processors alone), share of pairs and of moved mixtures, where guidance is best."""
GUIDANCE = (0.0, 0.5, 1.0, 1.5, 2.0)
MIXTURE, ROUND_TRIP = "mixture", "mixture through VAE and vocoder"


@dataclass(frozen=True)
class Plan:
    """mixtures: of all pairs in turn; compared: how many of them the comparisons use; seconds of each; instruments;
    options of `separate`."""

    mixtures: int = 180
    compared: int = 20
    seconds: float = 5.0
    instruments: Sequence[Instrument] = BY_CLASS
    options: Mapping[str, Any] = field(default_factory=dict)


def measure(bench: Bench, plan: Plan | None = None) -> dict:
    """Figures of every mixture, by pair, and of the comparisons.

    Raises:
        NotMeasured: there are no held-out sounds, they lack an instrument, or the model does not render clips that long.
    """
    plan = plan or Plan()
    bench.need_seconds(plan.seconds)
    mixtures = _mixtures(bench, plan)
    variants = _variants(plan)
    total, rows = len(mixtures) + len(variants) * plan.compared, []
    for number, mixture in enumerate(mixtures):
        bench.report(number, total, mixture.name)
        rows.append(_row(mixture, _separated(bench, mixture, {**plan.options, "stems": "masked"})["stem"], bench.seed))
    few = mixtures[:: max(len(mixtures) // max(plan.compared, 1), 1)][: plan.compared]
    compared: dict[str, dict] = {}
    for place, (name, options) in enumerate(variants.items()):
        alike = next((other for other in compared if _same(variants[other], options, plan)), None)
        if alike is not None:
            compared[name] = compared[alike]
            continue
        made = []
        for number, mixture in enumerate(few):
            bench.report(len(mixtures) + place * len(few) + number, total, name)
            made.append(_separated(bench, mixture, {**plan.options, "stems": "both", **_spoken(options, mixture, plan)}))
        compared[name] = _compared(bench.hearing, few, *([stems[role] for stems in made] for role in ("stem", "generated")))
    if few:
        compared["NMF-MFCC"] = _compared(bench.hearing, few, *[[_by_nmf(mixture, bench.seed) for mixture in few]] * 2)
    said = {**asdict(plan), "instruments": [played.label for played in plan.instruments]}
    return {"plan": said, "embedding": bench.hearing.name, **_overall(rows), "compared": compared,
            "compared_mixtures": len(few), "round_trip": _round_trip(bench, few), "mixtures": rows}


def _mixtures(bench: Bench, plan: Plan) -> list[Mixture]:
    pairs = len(plan.instruments) * (len(plan.instruments) - 1) // 2
    rate = min(bench.backbone.facts.sample_rate, 32000)
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


def _variants(plan: Plan) -> dict[str, dict[str, Any]]:
    """Options of `separate`, by the row's name."""
    if not plan.compared:
        return {}
    by_guidance = {f"guidance {weight:g}": {"guidance": weight} for weight in GUIDANCE}
    return by_guidance | {
        "ddpm": {"inversion": "ddpm"}, "ddim": {"inversion": "ddim"},
        "random prompt": {"stem": "random"}, "others": {"inversion_prompt": "others"},
    }


def _same(a: Mapping[str, Any], b: Mapping[str, Any], plan: Plan) -> bool:
    """Whether two variants ask for the same, one of them by leaving out a default."""
    return parse_options("separate", {"stem": "a | b", **plan.options, **a}) == parse_options(
        "separate", {"stem": "a | b", **plan.options, **b})


def _spoken(options: Mapping[str, Any], mixture: Mixture, plan: Plan) -> dict[str, Any]:
    """The options with words: a random prompt is that of instruments that are not in the mixture."""
    if options.get("stem") != "random":
        return dict(options)
    absent = [played.label for played in plan.instruments if played.label not in mixture.stems] or ["rain on a roof"]
    first = sum(mixture.name.encode()) % len(absent)
    return {"stem": tuple(absent[(first + k) % len(absent)] for k in range(len(mixture.stems)))}


def _separated(bench: Bench, mixture: Mixture, options: Mapping[str, Any]) -> dict[str, list[Clip]]:
    """Clips by role."""
    outputs = bench.studio("separate", {"mixture": mixture.clip}, seed=bench.seed,
                           **{"stem": tuple(mixture.stems), **options})
    made: dict[str, list[Clip]] = {}
    for output in outputs:
        assert output.clip is not None
        made.setdefault(output.role, []).append(output.clip)
    return made


def _row(mixture: Mixture, stems: Sequence[Clip], seed: int) -> dict[str, Any]:
    """One mixture: gains in dB of ours, of NMF (paired with the sources as is best for it) and of the ceiling; moves."""
    sources = list(mixture.stems.values())
    highest = mixture.clip.sample_rate / 2
    ceiling = split(mixture.clip, sources, mixture.clip, highest).stems
    return {"name": mixture.name, "pair": " + ".join(mixture.stems), "gain_db": _gains(mixture, stems),
            "ceiling_db": _gains(mixture, ceiling), "nmf_db": _gains(mixture, _by_nmf(mixture, seed)),
            "moved": _moved(mixture, stems)}


def _gains(mixture: Mixture, stems: Sequence[Clip]) -> list[float]:
    return [round(float(si_sdr_gain_db(stem.samples[0], mixture.clip.samples[0], source.samples[0])), 3)
            for stem, source in zip(stems, mixture.stems.values(), strict=True)]


def _by_nmf(mixture: Mixture, seed: int) -> list[Clip]:
    parts = nmf.separate(mixture.clip, len(mixture.stems), seed)
    order = nmf.paired([part.samples for part in parts], [source.samples for source in mixture.stems.values()])
    return [parts[k] for k in order]


def _moved(mixture: Mixture, stems: Sequence[Clip]) -> list[bool]:
    """Of every stem, whether it is nearer to its source, and farther from every other, than the mixture is."""
    sources = np.array([timbre.embed(source) for source in mixture.stems.values()])
    before, after = sources @ timbre.embed(mixture.clip), sources @ np.array([timbre.embed(stem) for stem in stems]).T
    nearer = after > before[:, None]  # [source, stem]
    own = np.eye(len(stems), dtype=bool)
    return [bool((nearer[:, k] == own[:, k]).all()) for k in range(len(stems))]


def _compared(hearing: Hearing, mixtures: Sequence[Mixture], masked: Sequence[Sequence[Clip]],
              generated: Sequence[Sequence[Clip]]) -> dict:
    """Means over all stems of one variant; with CLAP, also how far it agrees with the prompt, and LPAPS as published."""
    sources = [source for mixture in mixtures for source in mixture.stems.values()]
    made = [clip for stems in generated for clip in stems]
    gains = [gain for mixture, stems in zip(mixtures, masked, strict=True) for gain in _gains(mixture, stems)]
    pairs = list(zip(made, sources, strict=True))
    figures = {"gain_db": round(float(np.mean(gains)), 3),
               "agreement": round(float(np.mean([audio_agreement(hearing, *pair) for pair in pairs])), 4),
               "stages": round(float(np.mean([lpaps(hearing, *pair) for pair in pairs])), 4),
               "frechet": round(frechet_audio_distance(hearing, made, sources), 4)}
    if isinstance(hearing, Clap):
        prompts = [label for mixture in mixtures for label in mixture.stems]
        agreed = [hearing.text_agreement(clip, prompt) for clip, prompt in zip(made, prompts, strict=True)]
        figures["text"] = round(float(np.mean(agreed)), 4)
        figures["stages_published"] = round(float(np.mean([lpaps(hearing, *pair, "published") for pair in pairs])), 4)
    return figures


def _round_trip(bench: Bench, mixtures: Sequence[Mixture]) -> dict[str, Any]:
    """Table 3: SDR, SIR and SAR, against each source, of the mixture and of what the model gives back of it."""
    kept: dict[str, list[np.ndarray]] = {MIXTURE: [], ROUND_TRIP: []}
    try:
        for mixture in mixtures:
            targets = np.stack([source.samples[0] for source in mixture.stems.values()])
            given = mixture.clip
            back = resample(fold_mono(round_trip(bench.backbone, at_model(bench.backbone, given))), given.sample_rate)
            for name, samples in ((MIXTURE, given.samples[0]), (ROUND_TRIP, to_length(back, given.n_samples).samples[0])):
                found = bss_eval(np.stack([samples] * len(targets)), targets)
                kept[name].append(np.stack([found.sdr_db, found.sir_db, found.sar_db]).mean(axis=1))
    except NotMeasured as reason:
        return {"not_measured": reason.message}
    return {name: np.mean(rows, axis=0).round(2).tolist() for name, rows in kept.items() if rows}


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
            "moved": round(float(np.mean([row["moved"] for row in rows])), 3), "pairs": by_pair}


def findings(figures: dict) -> list[Finding]:
    """Rows of the table of aims."""
    n, n_pairs = len(figures["mixtures"]), len(figures["pairs"])
    made = [
        Finding(f"separation, {n} mixtures of {n_pairs} pairs", f"mean SI-SDR gain of masked stems above {AIM_DB:g} dB",
                f"{figures['gain_db']:.2f} dB; NMF {figures['nmf_db']:.2f}, ceiling {figures['ceiling_db']:.2f}",
                figures["gain_db"] > AIM_DB),
        Finding("separation by pair", f"gain positive for {AIM_SHARE:.0%} of pairs", f"{figures['positive_pairs']:.0%}",
                figures["positive_pairs"] >= AIM_SHARE),
        Finding("stems toward their source and away from the other", f"{AIM_SHARE:.0%} of stems", f"{figures['moved']:.0%}",
                figures["moved"] >= AIM_SHARE),
    ]
    if figures["compared"]:
        curve = {weight: figures["compared"][f"guidance {weight:g}"]["gain_db"] for weight in GUIDANCE}
        best = max(curve, key=curve.get)
        made.append(Finding(f"guidance, {figures['compared_mixtures']} mixtures", "best near 1",
                            "; ".join(f"{weight:g}: {gain:.2f} dB" for weight, gain in curve.items()),
                            AIM_PEAK[0] <= best <= AIM_PEAK[1]))
    return made


def lines(figures: dict) -> list[str]:
    """Pairs, comparisons with the published figures beside, and what they mean."""
    plan = figures["plan"]
    made = [f"{len(figures['mixtures'])} mixtures of {plan['seconds']:g} s at equal level; "
            f"{figures['positive_stems']:.0%} of all stems gain.", "",
            "| pair | gain, dB | NMF | ceiling |", "|---|---|---|---|"]
    made += [f"| {pair} | {row['gain_db']:.1f} | {row['nmf_db']:.1f} | {row['ceiling_db']:.1f} |"
             for pair, row in figures["pairs"].items()]
    if figures["compared"]:
        made += ["", f"On {figures['compared_mixtures']} of them:", "",
                 "| | gain of masked, dB | agreement | stages | Frechet | published FAD / LPAPS / C-A / C-T |",
                 "|---|---|---|---|---|---|"]
        made += [f"| {name} | {row['gain_db']:.2f} | {row['agreement']:.3f} | {row['stages']:.3f} | {row['frechet']:.3f} | "
                 f"{zerosep.told(name)} |" for name, row in figures["compared"].items()]
        made += [f"| {name} (not run) | | | | | {row.fad} / {row.lpaps} / {row.clap_a} / {row.clap_t} |"
                 for name, row in zerosep.NOT_RUN.items()]
        made += [f"{name}: CLAP-T {row['text']:.3f}, LPAPS as published {row['stages_published']:.3f}."
                 for name, row in figures["compared"].items() if "text" in row]
        made += ["", f"Agreement, stages and Frechet: in {figures['embedding']}."]
    return [*made, "", *_table_3(figures["round_trip"]), "", *NOTES]


def _table_3(found: Mapping[str, Any]) -> list[str]:
    if "not_measured" in found or not found:
        return [f"Round trip of the mixture: not measured. {found.get('not_measured', '')}".rstrip()]
    return ["| against one source | SDR, dB | SIR | SAR | published |", "|---|---|---|---|---|",
            *(f"| {name} | {sdr:.1f} | {sir:.1f} | {sar:.1f} | {' / '.join(map(str, zerosep.ROUND_TRIP[name]))} |"
              for name, (sdr, sir, sar) in found.items())]


NOTES = (
    "Gain: SI-SDR of the masked stem less that of the mixture. Ceiling: the same masks made of the true stems. NMF: 20 "
    "components grouped by MFCC, its groups paired with the sources as is best for it. Agreement: cosine of generated stem "
    "and source in timbre-1; stages: LPAPS' distance in the embedded model's encoder; Frechet: of timbre-1 embeddings. "
    "Neither is CLAP or FAD, and of so few clips the last compares the rows of one table alone.",
    "",
    f"Published: {zerosep.ABOUT}",
)
