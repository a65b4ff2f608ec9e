# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a model: every part that was asked for, its figures kept as they come. The process behind `athanor evaluate`.

The folder holds `figures.json`, `report.md`, pictures, and what the parts keep (the judge, generated clips). A part that
was measured on the same weights, with the same seed and sizes, is not measured again unless that is asked for.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from server.measure import held_out, report
from server.measure.bench import Bench, NotMeasured
from server.measure.named_embedding import hearing_of, vectors_of
from server.measure.parts import AIMS, PAPERS, PARTS, QUICK_CLASSES
from server.measure.studio import Studio
from server.models.embedded import corpus as corpora
from server.models.loading import load
from server.telling import Eta, Tell, told

FIGURES, REPORT = "figures.json", "report.md"
KINDS = ("fuse", "learn", "restore", "edit", "separate")  # jobs whose options can be given


@dataclass(frozen=True)
class Asked:
    """Which parts, in a hurry or not, again or not; `arguments` replaces a part's arguments of `measure` by name."""

    parts: Sequence[str] = AIMS
    quick: bool = False
    again: bool = False
    arguments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def evaluate(bench: Bench, asked: Asked, on_part: Callable[[str, dict], None] = lambda name, kept: None) -> dict[str, Any]:
    """All figures after measuring what is not there yet; written to `bench.folder` after every part.

    on_part: told each part's name and its figures, or why there are none, as soon as they are known.
    """
    full, bench = bench, _fewer(bench) if asked.quick else bench
    figures = _kept(bench, asked)
    for name in asked.parts:
        arguments = (dict(PARTS[name].quick) if asked.quick else {}) | dict(asked.arguments.get(name, {}))
        on = replace(bench, held_out=full.held_out) if PARTS[name].all_sounds else bench
        key = _key(on, asked, arguments)
        kept = figures["parts"].get(name)
        if asked.again or kept is None or kept["key"] != key or "not_measured" in kept:
            figures["parts"][name] = {"key": key, **_measured(name, on, arguments)}
            _write(bench.folder, figures)
        on_part(name, figures["parts"][name])
    _write(bench.folder, figures)
    return figures


def _measured(name: str, bench: Bench, arguments: Mapping[str, Any]) -> dict[str, Any]:
    started = time.monotonic()
    title = PARTS[name].title.lower()
    named = replace(bench, report=lambda done, total, what: bench.report(done, total, f"{title}: {what}"))
    try:
        found = PARTS[name].module.measure(named, **arguments)
    except NotMeasured as reason:
        return {"not_measured": reason.message}
    return {"seconds": round(time.monotonic() - started, 1), "figures": found}


def _fewer(bench: Bench) -> Bench:
    """The bench with a few classes alone."""
    sounds, corpus = bench.held_out, bench.corpus
    if corpus is not None:
        classes = sorted(corpus.classes)
        corpus = replace(corpus, classes=frozenset(classes[::max(1, len(classes) // QUICK_CLASSES)][:QUICK_CLASSES]))
    if sounds is not None:
        known = {corpus.names[index] for index in corpus.classes} if corpus is not None else set(sounds.classes())
        few = replace(sounds, sounds=tuple(sound for sound in sounds.sounds if sound.class_name in known))
        sounds = few if len(few.classes()) > 1 else sounds
    return replace(bench, corpus=corpus, held_out=sounds)


def _key(bench: Bench, asked: Asked, arguments: Mapping[str, Any]) -> str:
    """What must be the same for a kept part to stand: weights and where they run, seed, sizes, the sounds and the corpus's
    classes. Precision and device change what comes out, and how quickly."""
    backbone = bench.backbone
    said = [backbone.facts.revision, str(backbone.device), str(backbone.dtype), bench.seed, asked.quick,
            repr(sorted(arguments.items())), bench.data, bench.hearing.name, bench.frechet_in.name,
            sorted(sound.sha256 for sound in bench.held_out.sounds) if bench.held_out else None,
            [len(bench.corpus.items), sorted(bench.corpus.classes)] if bench.corpus else None]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:24]


def _kept(bench: Bench, asked: Asked) -> dict[str, Any]:
    """What the folder holds of this model, measured alike; of another one nothing is kept."""
    facts = bench.backbone.facts
    model = {name: getattr(facts, name) for name in ("name", "layout", "revision", "sample_rate", "channels", "max_s")}
    fresh = {"model": model, "seed": bench.seed, "quick": asked.quick, "parts": {}}
    try:
        there = json.loads((bench.folder / FIGURES).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return fresh
    alike = all(there.get(name) == fresh[name] for name in ("model", "seed", "quick"))
    return fresh | {"parts": there["parts"]} if alike else fresh


def _write(folder: Path, figures: dict[str, Any]) -> None:
    part = folder / f"{FIGURES}.part"  # hours of figures: never a half-written file in their place
    part.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    part.replace(folder / FIGURES)
    pictures = sorted(path.name for path in folder.glob("*.png"))
    (folder / REPORT).write_text(report.page(figures, pictures), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m server.measure.evaluate", description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--held-out", type=Path)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--parts", nargs="+", choices=(*AIMS, *PAPERS), default=AIMS)
    parser.add_argument("--device")
    parser.add_argument("--data", default="")
    parser.add_argument("--embedding", default="")
    parser.add_argument("--fad", default="")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--again", action="store_true")
    for size in ("pairs", "levels", "clips", "compared", "learned-fusions"):
        parser.add_argument(f"--{size}", type=int)
    parser.add_argument("--seconds", type=float)
    for kind in KINDS:
        parser.add_argument(f"--{kind}", nargs="*", default=[], metavar="NAME=VALUE")
    return parser


def _arguments(given: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Arguments of parts that the command line changes."""
    said = vars(given) | {kind: dict(pair.split("=", 1) for pair in getattr(given, kind)) for kind in KINDS}
    arguments = {}
    for name, part in PARTS.items():
        if changed := {place: said[size] for size, place in part.sizes.items() if said[size] not in (None, {})}:
            plan = part.quick["plan"] if given.quick else part.module.Plan()
            # Options said are added to those that a hurry has, which would else take its full number of steps.
            merged = {place: {**getattr(plan, place), **value} if isinstance(value, dict) else value
                      for place, value in changed.items()}
            arguments[name] = {"plan": replace(plan, **merged)}
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Measure, telling the progress and each part's rows of the table as JSON lines on stdout."""
    given = _parser().parse_args(argv)

    def work(tell: Tell) -> None:
        tell("progress", phase="loading")
        given.out.mkdir(parents=True, exist_ok=True)
        with Studio(load(given.model, device=given.device, home=given.home)) as studio:
            bench = Bench(studio, given.out, held_out=held_out.load(given.held_out) if given.held_out else None,
                          corpus=corpora.load(given.corpus) if given.corpus else None, seed=given.seed,
                          data=given.data, hearing=hearing_of(given.embedding), fad=vectors_of(given.fad))
            _run(bench, Asked(given.parts, given.quick, given.again, _arguments(given)), tell)

    return told(work)


def _run(bench: Bench, asked: Asked, tell: Tell) -> None:
    eta = Eta()

    def report_step(done: int, total: int, what: str) -> None:
        nonlocal eta
        eta = Eta() if done == 0 else eta
        tell("progress", phase=what, step=done, n_steps=total, eta_s=eta.left_s(done, total))

    def on_part(name: str, kept: dict) -> None:
        if "not_measured" in kept:
            tell("not_measured", part=name, reason=kept["not_measured"])
        else:
            for row in PARTS[name].module.findings(kept["figures"]):
                tell("finding", part=name, what=row.what, aim=row.aim, figure=row.figure, met=row.met)

    evaluate(replace(bench, report=report_step), asked, on_part)
    tell("report", file=str(bench.folder / REPORT))


if __name__ == "__main__":
    raise SystemExit(main())
