# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a model's eigenvalue table: how uncertain it is at each noise level, on average over clips it was not trained on.

    python -m server.measure.eigenvalues MODEL --held-out DIR --out eigenvalues.json

Each clip is noised to each level, and the largest eigenvalues of the posterior covariance there are found with the null
prompt. The table holds their geometric means; what is printed beside them is how much the clips differ, in dB, which the
paper (Manor and Michaeli, section 3.3) says is little. `vary --eigenvalues` takes the file.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from server.measure import held_out
from server.measure.held_out import Sound
from server.methods.fitting import fit, repeat_to
from server.methods.invert_clip import rows_at_once
from server.models.base import Backbone
from server.models.eigenvalues import EigenvalueTable
from server.models.loading import load
from server.sampling.directions import Jacobian, principal_components
from server.sampling.guide import guided
from server.sampling.noise import KeyedNoise

_STEPS = 200
"""Of the even schedule that the levels are taken from: a network that knows whole steps alone is given whole steps."""


@dataclass(frozen=True)
class Plan:
    """What is measured: clips, seconds of each, how many eigenvalues, at which SNR in dB."""

    clips: int = 12
    seconds: float = 3.0
    n: int = 3
    snr_db: Sequence[float] = (-22.0, -16.0, -11.0, -6.0, 0.0, 7.0, 16.0, 28.0)


def of_clip(backbone: Backbone, sound: Sound, plan: Plan, seed: int) -> tuple[list[float], np.ndarray]:
    """SNR of the levels, rising, and the eigenvalues [levels, n] of one clip."""
    rate = backbone.facts.sample_rate
    clip = fit(repeat_to(sound.clip(rate), round(plan.seconds * rate)), backbone, "the clip")
    levels = backbone.levels(_STEPS, "even")
    at = sorted({levels.index_at_snr_db(snr_db) for snr_db in plan.snr_db})
    with torch.no_grad():
        x0 = backbone.encode(clip.audio[:1])
    noise = KeyedNoise(seed).stream("edit-friendly")
    x = torch.stack([float(levels.alpha[i]) * x0 + float(levels.sigma[i]) * noise(i, x0.shape[1:]).to(x0) for i in at])
    null = backbone.condition(None, plan.seconds)
    found = principal_components(Jacobian(guided(backbone, [null], [null], 0.0)), x, levels, at, plan.n, KeyedNoise(seed),
                                 rows=max(1, rows_at_once(x0) // 8))
    return [float(levels.snr_db[i]) for i in at], found.eigenvalues.double().numpy()


def drawn(sounds: held_out.HeldOut, count: int, seed: int) -> list[Sound]:
    """`count` sounds of as many classes as there are."""
    each = sounds.drawn(-(-count // max(1, len(sounds.classes()))), seed)
    return [each[i] for i in np.random.default_rng([seed, 74]).permutation(len(each))[:count]]


def table(backbone: Backbone, plan: Plan, measured: Sequence[tuple[list[float], np.ndarray]]) -> EigenvalueTable:
    """The geometric means of all clips."""
    mean = np.exp(np.mean([np.log(np.maximum(values, 1e-12)) for _, values in measured], axis=0))
    rows = tuple(tuple(float(f"{value:.4g}") for value in row) for row in mean)
    snr_db = tuple(round(level, 3) for level in measured[0][0])
    return EigenvalueTable(backbone.facts.name, backbone.facts.revision, len(measured), plan.seconds, snr_db, rows)


def lines(made: EigenvalueTable, measured: Sequence[tuple[list[float], np.ndarray]]) -> Iterator[str]:
    """The table in Markdown, with the deviation of the clips in dB."""
    logs = 10.0 * np.log10(np.maximum([values for _, values in measured], 1e-12))
    yield "| SNR, dB | " + " | ".join(f"lambda {i + 1}" for i in range(logs.shape[2])) + " | clips differ by, dB |"
    yield "|---" * (logs.shape[2] + 2) + "|"
    for place, (snr_db, row) in enumerate(zip(made.snr_db, made.eigenvalues, strict=True)):
        differ = ", ".join(f"{value:.1f}" for value in logs[:, place].std(axis=0))
        yield f"| {snr_db:.1f} | " + " | ".join(f"{value:.4g}" for value in row) + f" | {differ} |"


def main(argv: list[str] | None = None) -> int:
    """Measure, write the table, print it."""
    parser = argparse.ArgumentParser(prog="python -m server.measure.eigenvalues", description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=Plan.clips)
    parser.add_argument("--seconds", type=float, default=Plan.seconds)
    parser.add_argument("--n", type=int, default=Plan.n)
    parser.add_argument("--device")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--seed", type=int, default=2026)
    given = parser.parse_args(argv)
    plan, backbone = Plan(given.clips, given.seconds, given.n), load(given.model, device=given.device, home=given.home)
    measured = []
    for sound in drawn(held_out.load(given.held_out), plan.clips, given.seed):
        measured.append(of_clip(backbone, sound, plan, given.seed))
        print(f"{len(measured)} of {plan.clips}: {sound.class_name}", flush=True)
        # Written after every clip: who stops early has a table of fewer clips.
        given.out.write_text(table(backbone, plan, measured).to_json(), encoding="utf-8")
    print("\n".join(lines(table(backbone, plan, measured), measured)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
