# SPDX-License-Identifier: GPL-3.0-or-later
"""Do clips of one prompt differ? Distances between pairs of generated clips against those between real clips of the class.

Two distances, both blind to level: `mel`, the mean difference in nat of two clips' log-mels (mel_frames; each shifted to
the same mean), frame by frame, at the best of a few time shifts; and `timbre`, one less the cosine in the embedding
`timbre-1`. Real clips are held-out recordings, or the corpus's test split for a class that has fewer than three.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip
from server.measure import mel_frames
from server.measure.bench import Bench, Finding
from server.measure.generated import Plan, generated
from server.measure.probes import of_row, of_sound, rows_of
from server.measure.timbre import embed

AIM = 0.5
REAL_CLIPS = 6
LATEST, STEP = 25, 5  # shifts tried, in frames of 40 ms: a second each way
FLOOR_NAT = 7.0  # below a clip's loudest band: what is under 60 dB does not differ


def measure(bench: Bench, plan: Plan | None = None, real_clips: int = REAL_CLIPS) -> dict:
    """Mean pairwise distances of generated and real clips and their ratio, per class and as the median of the classes.

    Raises:
        NotMeasured: there is no corpus, which says what the classes are.
    """
    plan, corpus = plan or Plan(), bench.need_corpus()
    names = [corpus.names[index] for index in sorted(corpus.classes)]
    made = generated(bench, names, plan)
    rows = {}
    for number, name in enumerate(names):
        bench.report(number, len(names), f"pairs of {name}")
        real, of_what = _real(bench, name, real_clips)
        seconds = min(plan.seconds, mel_frames.SECONDS)
        row = {"real": of_what}
        for distance, (generated_clips, real_distances) in _distances(made[name], real, seconds).items():
            row |= {f"{distance}_generated": _mean(generated_clips), f"{distance}_real": _mean(real_distances)}
            row[f"{distance}_ratio"] = round(row[f"{distance}_generated"] / max(row[f"{distance}_real"], 1e-6), 4)
        rows[name] = row
    ratios = {kind: [row[f"{kind}_ratio"] for row in rows.values()] for kind in ("mel", "timbre")}
    return {"clips": plan.clips, **{f"{kind}_ratio": round(float(np.median(found)), 4) for kind, found in ratios.items()},
            **{f"{kind}_classes_met": int(sum(ratio >= AIM for ratio in found)) for kind, found in ratios.items()},
            "by_class": rows}


def _real(bench: Bench, name: str, count: int) -> tuple[list[Clip], str]:
    """Real clips of a class, and what they are."""
    corpus = bench.need_corpus()
    sounds = [sound for sound in (bench.held_out.drawn(count, bench.seed) if bench.held_out else [])
              if sound.class_name == name]
    if len(sounds) >= 3:
        return [of_sound(sound).clip for sound in sounds], "recordings"
    return [of_row(corpus, row).clip for row in rows_of(corpus, "test", count, bench.seed, [name])], "corpus"


def _distances(made: Sequence[Clip], real: Sequence[Clip], seconds: float) -> dict[str, tuple[list[float], list[float]]]:
    n_samples = round(seconds * mel_frames.SPEC.sample_rate)
    found: dict[str, tuple[list[float], list[float]]] = {"mel": ([], []), "timbre": ([], [])}
    for which, clips in enumerate((made, real)):
        mels = mel_frames.of_clips(clips, n_samples)
        places = [embed(clip) for clip in clips]
        for a, b in combinations(range(len(clips)), 2):
            found["mel"][which].append(mel_distance(mels[a], mels[b]))
            found["timbre"][which].append(float(1 - places[a] @ places[b]))
    return found


def mel_distance(a: Tensor, b: Tensor) -> float:
    """Mean difference in nat of two log-mels `[frames, 64]`, levels and a shift of up to a second apart."""
    a, b = (_levelled(mel) for mel in (a, b))
    latest = min(LATEST, len(a) // 2) // STEP * STEP
    return min(float((a[max(0, s):len(a) + min(0, s)] - b[max(0, -s):len(b) - max(0, s)]).abs().mean())
               for s in range(-latest, latest + 1, STEP))


def _levelled(mel: Tensor) -> Tensor:
    floored = torch.maximum(mel, mel.max() - FLOOR_NAT)
    return floored - floored.mean()


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4) if values else 0.0


def findings(figures: dict) -> list[Finding]:
    """The median class, and in how many the aim is met."""
    met = [figures[f"{kind}_ratio"] >= AIM for kind in ("mel", "timbre")]
    n = len(figures["by_class"])
    return [Finding("variety: pairs of one prompt's clips against pairs of real clips of the class",
                    f"at least {AIM:g} of the distance",
                    f"median class {figures['mel_ratio']:.2f} in log-mels ({figures['mel_classes_met']} of {n} met), "
                    f"{figures['timbre_ratio']:.2f} in timbre-1 ({figures['timbre_classes_met']} of {n})", all(met))]


def lines(figures: dict) -> list[str]:
    """A table of the classes."""
    made = ["| class | log-mels, nat: generated | real | ratio | timbre-1: generated | real | ratio | real clips |",
            "|---|---|---|---|---|---|---|---|"]
    for name, row in figures["by_class"].items():
        shown = " | ".join(f"{row[f'{kind}_{part}']:.2f}" for kind in ("mel", "timbre")
                           for part in ("generated", "real", "ratio"))
        made.append(f"| {name} | {shown} | {row['real']} |")
    return made
