# SPDX-License-Identifier: GPL-3.0-or-later
"""How uncertain is a model at each noise level? The largest eigenvalues of its posterior covariance, and their vectors.

    python -m server.measure.eigenvalues MODEL --held-out DIR --out eigenvalues.json

Each clip is noised to each level, and the principal components there are found with the null prompt. The table holds the
geometric means of the eigenvalues; beside them stands how much the clips differ, in dB, which the paper (Manor and
Michaeli, section 3.3) says is little. `vary --eigenvalues` takes the file. As a part of the evaluation it is the paper's
figure 11 as well: the entropy of the components over time, 1 where they fill the clip and 0 in one frame alone. It says
little where the eigenvalues of a level are nearly equal, as the embedded model's are towards the clean end: any mixture of
their vectors is as good there, and mixtures fill the clip. (40 rounds in place of the usual 5 to 9, on one clip of noise,
did not lower the entropies there: it is not that the search stops early.)
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from server.measure import held_out
from server.measure.bench import Bench, Finding
from server.measure.held_out import Sound
from server.measure.studio import Studio
from server.methods.fitting import fit, repeat_to
from server.methods.invert_clip import rows_at_once
from server.models.base import Backbone
from server.models.eigenvalues import EigenvalueTable
from server.models.loading import load
from server.sampling.directions import Jacobian, principal_components
from server.sampling.guide import guided
from server.sampling.noise import KeyedNoise

_STEPS = 200
STREAM = 74  # of the order in which clips are drawn
"""Of the even schedule that the levels are taken from: a network that knows whole steps alone is given whole steps."""


@dataclass(frozen=True)
class Plan:
    """What is measured: clips, seconds of each, how many components, at which SNR in dB."""

    clips: int = 12
    seconds: float = 3.0
    n: int = 3
    snr_db: Sequence[float] = (-22.0, -16.0, -11.0, -6.0, 0.0, 7.0, 16.0, 28.0)


@dataclass(frozen=True)
class OfClip:
    """One clip's components: SNR of the levels, rising; eigenvalues and entropies [levels, n]."""

    snr_db: list[float]
    eigenvalues: np.ndarray
    entropy: np.ndarray


def measure(bench: Bench, plan: Plan | None = None,
            on_table: Callable[[EigenvalueTable], None] = lambda table: None) -> dict:
    """The table, how much the clips differ, and the entropies.

    on_table: told the table of the clips so far, after each.

    Raises:
        NotMeasured: there are no held-out sounds, or the model does not render clips that long.
    """
    plan = plan or Plan()
    bench.need_seconds(plan.seconds)
    measured: list[OfClip] = []
    sounds = bench.need_held_out().mixed(plan.clips, bench.seed, STREAM)
    for number, sound in enumerate(sounds):
        bench.report(number, len(sounds), sound.class_name)
        measured.append(of_clip(bench.backbone, sound, plan, bench.seed))
        on_table(table(bench.backbone, plan, measured))
    logs = 10.0 * np.log10(np.maximum([one.eigenvalues for one in measured], 1e-12))
    entropy = np.mean([one.entropy for one in measured], axis=0)
    return {"table": asdict(table(bench.backbone, plan, measured)), "differ_db": logs.std(axis=0).round(2).tolist(),
            "entropy": entropy.round(4).tolist(), "classes": [sound.class_name for sound in sounds]}


def of_clip(backbone: Backbone, sound: Sound, plan: Plan, seed: int) -> OfClip:
    """The components of one clip at every level."""
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
    return OfClip([float(levels.snr_db[i]) for i in at], found.eigenvalues.double().numpy(), entropy(found.vectors))


def entropy(vectors: Tensor) -> np.ndarray:
    """Entropy over the frames of unit vectors [levels, n, channels, frames, ...], over that of an even spread: 0 to 1."""
    power = vectors.double().square().sum(dim=[2, *range(4, vectors.ndim)])
    share = power / power.sum(dim=2, keepdim=True)
    return (-(share * share.clamp(min=1e-30).log()).sum(dim=2) / np.log(max(share.shape[2], 2))).numpy()


def table(backbone: Backbone, plan: Plan, measured: Sequence[OfClip]) -> EigenvalueTable:
    """The geometric means of all clips."""
    mean = np.exp(np.mean([np.log(np.maximum(one.eigenvalues, 1e-12)) for one in measured], axis=0))
    rows = tuple(tuple(float(f"{value:.4g}") for value in row) for row in mean)
    snr_db = tuple(round(level, 3) for level in measured[0].snr_db)
    return EigenvalueTable(backbone.facts.name, backbone.facts.revision, len(measured), plan.seconds, snr_db, rows)


def findings(figures: dict) -> list[Finding]:
    """Two rows of the table of aims: the paper's two statements."""
    n, snr_db = figures["table"]["clips"], figures["table"]["snr_db"]
    spread = [float(np.mean(row)) for row in figures["entropy"]]
    low = int(np.argmin(spread))
    return [Finding(f"posterior eigenvalues, {n} clips", "alike from clip to clip (no figure in the paper)",
                    f"deviation {np.mean(figures['differ_db']):.1f} dB on average, over a range of "
                    f"{_range_db(figures):.0f} dB from level to level", None),
            Finding(f"entropy of the components in time, {n} clips (editing fig. 11)", "falls as the noise falls",
                    f"{spread[0]:.2f} at {snr_db[0]:.0f} dB, lowest {spread[low]:.2f} at {snr_db[low]:.0f} dB, "
                    f"{spread[-1]:.2f} at {snr_db[-1]:.0f} dB", 0 < low and spread[-1] < spread[0])]


def _range_db(figures: dict) -> float:
    largest = [row[0] for row in figures["table"]["eigenvalues"]]
    return float(10.0 * np.log10(max(largest) / max(min(largest), 1e-12)))


def lines(figures: dict) -> list[str]:
    """A table, one row per level."""
    rows = figures["table"]["eigenvalues"]
    names = [f"lambda {i + 1}" for i in range(len(rows[0]))]
    made = [f"| SNR, dB | {' | '.join(names)} | clips differ by, dB | entropy |", "|---" * (len(rows[0]) + 3) + "|"]
    made += [f"| {snr_db:.1f} | " + " | ".join(f"{value:.4g}" for value in row) + " | "
             + ", ".join(f"{value:.1f}" for value in differ) + " | " + ", ".join(f"{e:.2f}" for e in spread) + " |"
             for snr_db, row, differ, spread in zip(figures["table"]["snr_db"], rows, figures["differ_db"],
                                                    figures["entropy"], strict=True)]
    return made + ["", "Where the eigenvalues of a level are nearly equal, any mixture of their vectors is as good, and "
                   "mixtures fill the clip: there the entropy says little."]


def main(argv: list[str] | None = None) -> int:
    """Measure, write the table after every clip, print all."""
    parser = argparse.ArgumentParser(prog="python -m server.measure.eigenvalues", description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=Plan.clips)
    parser.add_argument("--seconds", type=float, default=Plan.seconds)
    parser.add_argument("--device")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--seed", type=int, default=2026)
    given = parser.parse_args(argv)

    def told(*words: Any) -> None:
        print("{} of {}: {}".format(*words), flush=True)

    given.out.parent.mkdir(parents=True, exist_ok=True)
    with Studio(load(given.model, device=given.device, home=given.home)) as studio:
        bench = Bench(studio, given.out.parent, held_out.load(given.held_out), seed=given.seed, report=told)
        figures = measure(bench, Plan(given.clips, given.seconds),
                          on_table=lambda made: given.out.write_text(made.to_json(), encoding="utf-8"))
    print("\n".join(lines(figures)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
