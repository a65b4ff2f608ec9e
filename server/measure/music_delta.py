# SPDX-License-Identifier: GPL-3.0-or-later
"""The editing paper's own table: MusicDelta with the released prompts, adherence against fidelity (its figure 8).

    python -m server.measure.music_delta MODEL --audio MedleyDB/Audio --prompts MedleyMDPrompts --out FOLDER
                                         [--edits 324] [--seconds S] [--t-start 40 60 80 100] [--steps 200]

Every pair of source and target prompt is edited from several T_start (of 200 steps on AudioLDM 2, and as the same noise
level on any model) by the edit-friendly inversion, by SDEdit and by DDIM inversion. Adherence is the agreement of CLAP with
the target, fidelity LPAPS in its stages, as published and corrected, and the Frechet distance to the originals is taken in
it too (`--embedding`: a folder with the paper's music CLAP, or `zerosep`; the default, `editing` from the hub, is refused
where it finds all words alike, as is reported of it). An excerpt lasts 20 s to 5 min and is edited whole, as in the paper;
`--seconds` cuts it. Which 324 of the 696 pairs the paper edits it does not say: here they are spread evenly over the table.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from server.audio import Clip
from server.errors import AthanorError, ModelUnavailable, StorageError
from server.measure.clap import Clap
from server.measure.datasets.music_delta import Edit, edits
from server.measure.editing import METHODS, PUBLISHED, gap
from server.measure.embedding import embed
from server.measure.fad import frechet_distance
from server.measure.lpaps import of_stages
from server.measure.studio import Studio
from server.measure.t_start import snr_db
from server.models.loading import load

FIGURES, REPORT = "music_delta.json", "music_delta.md"
ORIGINAL = "original"


@dataclass(frozen=True)
class Plan:
    """edits: of all pairs, spread evenly; t_start of 200, rising; steps of the whole way; seconds of each, None for all."""

    edits: int = 324
    t_start: Sequence[int] = (40, 60, 80, 100)
    steps: int = 200
    seconds: float | None = None


def measure(studio: Studio, hearing: Clap, pairs: Sequence[Edit], plan: Plan, seed: int,
            report: Callable[[int, int, str], None]) -> dict[str, Any]:
    """Means of every method and T_start, and the gaps between ddpm's curve and the others'."""
    chosen = spread(pairs, plan.edits)
    rows: list[dict[str, list[dict[str, float]]]] = []
    vectors: dict[str, list[list[np.ndarray]]] = {}
    originals: dict[Path, np.ndarray] = {}
    for number, pair in enumerate(chosen):
        report(number, len(chosen), f"{pair.path.name}: {pair.target}")
        clip = _cut(pair.clip(), plan.seconds)
        made = {ORIGINAL: [clip]} | {method: _edited(studio, clip, pair, plan, method, seed) for method in METHODS}
        rows.append({name: [_judged(hearing, one, clip, pair.target) for one in clips] for name, clips in made.items()})
        for name, clips in made.items():
            vectors.setdefault(name, []).append([embed(hearing, [one]) for one in clips])
        originals[pair.path] = vectors[ORIGINAL][-1][0]
    real, means = np.concatenate(list(originals.values())), {}
    for name, found in vectors.items():
        means[name] = [{key: round(float(np.mean([row[name][k][key] for row in rows])), 4) for key in rows[0][name][k]}
                       | {"frechet": round(frechet_distance(np.concatenate([of[k] for of in found]), real), 4)}
                       for k in range(len(found[0]))]
    curves = {name: np.array([[(one["text"], one["published"]) for one in row[name]] for row in rows]) for name in METHODS}
    return {"plan": asdict(plan), "embedding": hearing.name, "seed": seed, "model": studio.backbone.facts.name,
            "files": sorted(path.name for path in originals), "edits": len(chosen), "of": len(pairs), "means": means,
            "gaps": {name: gap(curves["ddpm"], curves[name]) for name in METHODS if name != "ddpm"}}


def spread(pairs: Sequence[Edit], count: int) -> list[Edit]:
    """`count` of the pairs, evenly over their order; all where there are no more."""
    return [pairs[k * len(pairs) // count] for k in range(count)] if count < len(pairs) else list(pairs)


def _cut(clip: Clip, seconds: float | None) -> Clip:
    return clip if seconds is None else Clip(clip.samples[:, : round(seconds * clip.sample_rate)], clip.sample_rate)


def _edited(studio: Studio, clip: Clip, pair: Edit, plan: Plan, method: str, seed: int) -> list[Clip]:
    """One clip for each T_start; from the noisiest on, so that the inversion is made once."""
    said = {} if method == "sdedit" else {"from": pair.source}
    made = {}
    for t_start in sorted(plan.t_start, reverse=True):
        (output,) = studio("edit", {"clip": clip}, to=[pair.target], snr_db=round(snr_db(t_start), 3), steps=plan.steps,
                           schedule="model", method=method, seed=seed, **said)
        assert output.clip is not None
        made[t_start] = output.clip
    return [made[t_start] for t_start in plan.t_start]


def _judged(hearing: Clap, made: Clip, clip: Clip, target: str) -> dict[str, float]:
    windows = list(zip(hearing.stages(made), hearing.stages(clip), strict=True))
    return {"text": hearing.text_agreement(made, target),
            "published": float(np.mean([of_stages(a, b, "published") for a, b in windows])),
            "corrected": float(np.mean([of_stages(a, b) for a, b in windows]))}


def lines(figures: dict) -> list[str]:
    """The table, the gaps between the curves, and what the paper prints."""
    plan = figures["plan"]
    made = ["| | T_start | CLAP, target | LPAPS as published | corrected | Frechet |", "|---|---|---|---|---|---|"]
    for name, rows in figures["means"].items():
        starts = plan["t_start"] if name in METHODS else [""]
        made += [f"| {name} | {start} | {one['text']:.3f} | {one['published']:.3f} | {one['corrected']:.3f} | "
                 f"{one['frechet']:.3f} |" for start, one in zip(starts, rows, strict=True)]
    for name, found in figures["gaps"].items():
        made += ["", f"ddpm against {name}: " + ("no CLAP score in common." if found is None else
                 f"LPAPS lower by {found['gap']:+.3f} at equal CLAP, in {found['inside']:.0%} of the common range, so in "
                 f"{found['resampled']:.0%} of resamplings.")]
    length = "whole" if plan["seconds"] is None else f"of {plan['seconds']:g} s"
    return [*made, "", f"{figures['edits']} of {figures['of']} pairs of {len(figures['files'])} excerpts, {length}, on "
            f"{figures['model']}, {plan['steps']} steps, in {figures['embedding']}. Published (figure 8 has curves without "
            f"values; the paper's models are AudioLDM 2 and MusicGen): {PUBLISHED}."]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m server.measure.music_delta", description=__doc__.splitlines()[0])
    parser.add_argument("model")
    for name in ("audio", "prompts", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--embedding", default="editing")
    parser.add_argument("--edits", type=int, default=Plan.edits)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--t-start", type=int, nargs="+", default=Plan.t_start)
    parser.add_argument("--steps", type=int, default=Plan.steps)
    parser.add_argument("--device")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--seed", type=int, default=2026)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write figures and report into the folder, print the report."""
    given = _parser().parse_args(argv)
    if given.edits < 2 or not all(1 <= t <= 200 for t in given.t_start):
        print("--edits takes 2 or more; --t-start takes numbers of steps from 1 to 200.", file=sys.stderr)
        return 2
    try:
        pairs = edits(given.audio, given.prompts)  # before anything that takes long, as the folder is
        try:
            given.out.mkdir(parents=True, exist_ok=True)
        except OSError as cause:
            raise StorageError(f"The report cannot be written into {given.out}: {cause.strerror}. Give another --out."
                               ) from cause
        hearing = Clap(given.embedding)
        if not hearing.hears_words:
            raise ModelUnavailable(f"{hearing.name} finds all words alike, so that it cannot say how far an edit adheres "
                                   "to its target. Give --embedding a folder with the paper's checkpoint, which the text "
                                   "of server/measure/clap.py says how to convert, or zerosep.")
        with Studio(load(given.model, device=given.device, home=given.home)) as studio:
            figures = measure(studio, hearing, pairs, Plan(given.edits, sorted(given.t_start), given.steps, given.seconds),
                              given.seed, lambda *words: print("{} of {}: {}".format(*words), file=sys.stderr, flush=True))
    except AthanorError as error:
        print(error.message, file=sys.stderr)
        return 2
    (given.out / FIGURES).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (given.out / REPORT).write_text("\n".join(lines(figures)) + "\n", encoding="utf-8")
    print("\n".join(lines(figures)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
