# SPDX-License-Identifier: GPL-3.0-or-later
"""ZeroSep's comparisons, on a few mixtures: guidance (its figure 3a), inversion (table 2), prompts (table 4), the methods
without training beside it (table 1), and what an autoencoder's round trip alone does (table 3).

The generated stems are judged too, in the bench's embedding: the paper's CLAP where it is given, else timbre-1, and for
LPAPS the embedded model's encoder. Parts that come without words (NMF, the editor by components) are paired with the
sources as is best for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from server.audio import Clip
from server.kinds import parse_options
from server.measure import zerosep
from server.measure.baselines import component_editor, nmf
from server.measure.bench import Bench, NotMeasured
from server.measure.bss import bss_eval
from server.measure.clap import Clap
from server.measure.datasets.mixture import Mixture
from server.measure.embedding import Hearing, Vectors, audio_agreement, frechet_audio_distance
from server.measure.lpaps import lpaps
from server.measure.probes import given_back
from server.measure.si_sdr import si_sdr_gain_db

GUIDANCE = (0.0, 0.5, 1.0, 1.5, 2.0)
NMF, EDITOR = "NMF-MFCC", "AudioEdit"
MIXTURE, ROUND_TRIP = "mixture", "mixture through VAE and vocoder"
_SHARED = ("steps", "schedule")  # options of `separate` that the editor takes as well

Stems = Sequence[Sequence[Clip]]
"""Of every mixture, its stems."""


def separated(bench: Bench, mixture: Mixture, options: Mapping[str, Any]) -> dict[str, list[Clip]]:
    """Clips by role, of one job `separate` that is told the labels of the stems."""
    outputs = bench.studio("separate", {"mixture": mixture.clip}, seed=bench.seed,
                           **{"stem": tuple(mixture.stems), **options})
    made: dict[str, list[Clip]] = {}
    for output in outputs:
        assert output.clip is not None
        made.setdefault(output.role, []).append(output.clip)
    return made


def gains_db(mixture: Mixture, stems: Sequence[Clip]) -> list[float]:
    """Of every stem, its SI-SDR less that of the mixture."""
    return [round(float(si_sdr_gain_db(stem.samples[0], mixture.clip.samples[0], source.samples[0])), 3)
            for stem, source in zip(stems, mixture.stems.values(), strict=True)]


def by_nmf(mixture: Mixture, seed: int) -> list[Clip]:
    """The parts of NMF-MFCC in the order of the stems."""
    parts = nmf.separate(mixture.clip, len(mixture.stems), seed)
    return [parts[k] for k in _order(parts, mixture)]


def by_editor(bench: Bench, mixture: Mixture, options: Mapping[str, Any]) -> component_editor.Parts:
    """The parts of the editor by components in the order of the stems, which their masked clips are paired by."""
    shared = {name: options[name] for name in _SHARED if name in options}
    found = component_editor.separate(bench.studio, mixture.clip, len(mixture.stems), bench.seed, **shared)
    order = _order(found.masked, mixture)
    return component_editor.Parts(tuple(found.generated[k] for k in order), tuple(found.masked[k] for k in order))


def _order(parts: Sequence[Clip], mixture: Mixture) -> list[int]:
    return nmf.paired([part.samples for part in parts], [source.samples for source in mixture.stems.values()])


def names() -> list[str]:
    """The rows of the comparisons."""
    return [*_variants(), EDITOR, NMF]


def compare(bench: Bench, mixtures: Sequence[Mixture], options: Mapping[str, Any], labels: Sequence[str],
            tell: Callable[[int, str], None]) -> dict[str, dict]:
    """Figures of every row, by its name.

    Args:
        options: of `separate`, for all; labels: words for random prompts.
        tell: told how many jobs came before, and the row.
    """
    compared: dict[str, dict] = {}
    variants, done = _variants(), 0
    for name, own in variants.items():
        alike = next((other for other in compared if _same(variants[other], own, options)), None)
        if alike is None:
            made = []
            for mixture in mixtures:
                tell(done + len(made), name)
                made.append(separated(bench, mixture, {**options, "stems": "both", **_spoken(own, mixture, labels)}))
            masked, generated = ([of[role] for of in made] for role in ("stem", "generated"))
            compared[name] = _figures(bench.hearing, mixtures, masked, generated, bench.fad)
        else:
            compared[name] = compared[alike]
        done += len(mixtures)
    edited = []
    for mixture in mixtures:
        tell(done + len(edited), EDITOR)
        edited.append(by_editor(bench, mixture, options))
    compared[EDITOR] = _figures(bench.hearing, mixtures, [of.masked for of in edited], [of.generated for of in edited],
                                bench.fad)
    compared[NMF] = _figures(bench.hearing, mixtures, *[[by_nmf(mixture, bench.seed) for mixture in mixtures]] * 2,
                             bench.fad)
    return compared


def _variants() -> dict[str, dict[str, Any]]:
    """Options of `separate`, by the row's name."""
    by_guidance = {f"guidance {weight:g}": {"guidance": weight} for weight in GUIDANCE}
    return by_guidance | {
        "ddpm": {"inversion": "ddpm"}, "ddim": {"inversion": "ddim"},
        "random prompt": {"stem": "random"}, "others": {"inversion_prompt": "others"},
    }


def _same(a: Mapping[str, Any], b: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    """Whether two variants ask for the same, one of them by leaving out a default."""
    return parse_options("separate", {"stem": "a | b", **options, **a}) == parse_options(
        "separate", {"stem": "a | b", **options, **b})


def _spoken(options: Mapping[str, Any], mixture: Mixture, labels: Sequence[str]) -> dict[str, Any]:
    """The options with words: a random prompt is that of instruments that are not in the mixture."""
    if options.get("stem") != "random":
        return dict(options)
    absent = [label for label in labels if label not in mixture.stems] or ["rain on a roof"]
    first = sum(mixture.name.encode()) % len(absent)
    return {"stem": tuple(absent[(first + k) % len(absent)] for k in range(len(mixture.stems)))}


def _figures(hearing: Hearing, mixtures: Sequence[Mixture], masked: Stems, generated: Stems, fad: Vectors | None = None
             ) -> dict:
    """Means over all stems of one variant; with CLAP, also how far it agrees with the prompt, and LPAPS as published.

    The Frechet distance is taken in `fad`, or in `hearing` where that is None.
    """
    sources = [source for mixture in mixtures for source in mixture.stems.values()]
    made = [clip for stems in generated for clip in stems]
    gains = [gain for mixture, stems in zip(mixtures, masked, strict=True) for gain in gains_db(mixture, stems)]
    pairs = list(zip(made, sources, strict=True))
    figures = {"gain_db": round(float(np.mean(gains)), 3),
               "agreement": round(float(np.mean([audio_agreement(hearing, *pair) for pair in pairs])), 4),
               "stages": round(float(np.mean([lpaps(hearing, *pair) for pair in pairs])), 4),
               "frechet": round(frechet_audio_distance(fad or hearing, made, sources), 4)}
    if isinstance(hearing, Clap) and hearing.hears_words:
        prompts = [label for mixture in mixtures for label in mixture.stems]
        agreed = [hearing.text_agreement(clip, prompt) for clip, prompt in zip(made, prompts, strict=True)]
        figures["text"] = round(float(np.mean(agreed)), 4)
        figures["stages_published"] = round(float(np.mean([lpaps(hearing, *pair, "published") for pair in pairs])), 4)
    return figures


def round_trips(bench: Bench, mixtures: Sequence[Mixture]) -> dict[str, Any]:
    """Table 3: SDR, SIR and SAR, against each source, of the mixture and of what the model gives back of it."""
    kept: dict[str, list[np.ndarray]] = {MIXTURE: [], ROUND_TRIP: []}
    try:
        for mixture in mixtures:
            targets = np.stack([source.samples[0] for source in mixture.stems.values()])
            for name, clip in ((MIXTURE, mixture.clip), (ROUND_TRIP, given_back(bench.backbone, mixture.clip))):
                found = bss_eval(np.stack([clip.samples[0]] * len(targets)), targets)
                kept[name].append(np.stack([found.sdr_db, found.sir_db, found.sar_db]).mean(axis=1))
    except NotMeasured as reason:
        return {"not_measured": reason.message}
    return {name: np.mean(rows, axis=0).round(2).tolist() for name, rows in kept.items() if rows}


def lines(compared: Mapping[str, Mapping[str, float]], count: int, embedding: str) -> list[str]:
    """The comparisons with the published figures beside them; `count` mixtures, heard in `embedding`."""
    made = [f"On {count} of them:", "",
            "| | gain of masked, dB | agreement | stages | Frechet | published FAD / LPAPS / C-A / C-T |",
            "|---|---|---|---|---|---|"]
    made += [f"| {name} | {row['gain_db']:.2f} | {row['agreement']:.3f} | {row['stages']:.3f} | {row['frechet']:.3f} | "
             f"{zerosep.told(name)} |" for name, row in compared.items()]
    made += [f"| {name} (trained; not run) | | | | | {row.fad} / {row.lpaps} / {row.clap_a} / {row.clap_t} |"
             for name, row in zerosep.NOT_RUN.items()]
    made += [f"{name}: CLAP-T {row['text']:.3f}, LPAPS as published {row['stages_published']:.3f}."
             for name, row in compared.items() if "text" in row]
    return [*made, "", f"Agreement, stages and Frechet: in {embedding}."]


def lines_of_table_3(found: Mapping[str, Any]) -> list[str]:
    """Table 3, or why there is none."""
    if "not_measured" in found or not found:
        return [f"Round trip of the mixture: not measured. {found.get('not_measured', '')}".rstrip()]
    return ["| against one source | SDR, dB | SIR | SAR | published |", "|---|---|---|---|---|",
            *(f"| {name} | {sdr:.1f} | {sir:.1f} | {sar:.1f} | {' / '.join(map(str, zerosep.ROUND_TRIP[name]))} |"
              for name, (sdr, sir, sar) in found.items())]
