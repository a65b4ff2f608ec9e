# SPDX-License-Identifier: GPL-3.0-or-later
"""What the judge learns from: held-out recordings and the corpus's split `judge`, as mels and as features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip
from server.measure import mel_frames, probes
from server.measure.bench import Bench
from server.measure.held_out import Sound, trimmed
from server.measure.listening import AT_ONCE, Listen, by
from server.models.embedded.format import ITEM_SAMPLES

LONGER = ITEM_SAMPLES  # samples of a lesson, some more than a clip so that its start varies
STRETCHES = 3  # lessons from one long recording
REAL_SHARE = 0.6  # of the lessons of a class that has held-out recordings


@dataclass(frozen=True, eq=False)
class Lessons:
    """Mels `[lessons, frames, 64]`, some more frames than of a clip; features `[lessons, features]` of each lesson's first
    5.12 s; the index of its class, and of its fold, -1 for one of the corpus."""

    mels: Tensor
    features: Tensor
    targets: list[int]
    folds: list[int]


def taken(bench: Bench, names: Sequence[str], sounds: Sequence[Sound], fold: dict[str, int], per_class: int,
          listen: Listen) -> Lessons:
    """Lessons from the recordings and from up to `per_class` clips of the corpus of each class."""
    rows = probes.rows_of(bench.need_corpus(), "judge", per_class, bench.seed)
    mels: list[Tensor] = []
    features: list[Tensor] = []
    targets: list[int] = []
    folds: list[int] = []
    for some in by(AT_ONCE, _told(bench, names, sounds, fold, rows)):
        audio = mel_frames.audio_of((clip for clip, _, _ in some), LONGER)
        mels.append(mel_frames.mel_frames(audio))
        features.append(listen(audio[:, :mel_frames.N_SAMPLES]))
        targets += [target for _, target, _ in some]
        folds += [which for _, _, which in some]
    return Lessons(torch.cat(mels), torch.cat(features), targets, folds)


def weights(targets: Sequence[int], folds: Sequence[int], ear: int) -> Tensor:
    """How much each lesson counts for an ear: classes alike, in each `REAL_SHARE` from recordings that it may hear."""
    kinds = [None if fold == ear else (target, fold >= 0) for target, fold in zip(targets, folds, strict=True)]
    count = Counter(kind for kind in kinds if kind)
    found = []
    for kind in kinds:
        if kind is None:
            found.append(0.0)
            continue
        both = count[kind[0], True] and count[kind[0], False]
        share = (REAL_SHARE if kind[1] else 1 - REAL_SHARE) if both else 1.0
        found.append(share / count[kind])
    return torch.tensor(found)


def _told(bench: Bench, names: Sequence[str], sounds: Sequence[Sound], fold: dict[str, int],
          rows: Sequence[int]) -> Iterator[tuple[Clip, int, int]]:
    """Every lesson's clip, class and fold."""
    corpus = bench.need_corpus()
    units: list[Sound | int] = [*sounds, *rows]
    for number, unit in enumerate(units):
        if number % AT_ONCE == 0:
            bench.report(number, len(units), "the judge listens to its lessons")
        if isinstance(unit, Sound):
            for clip in _stretches(unit):
                yield clip, names.index(unit.class_name), fold[unit.sha256]
        else:
            item = Clip(corpus.audio[unit][None].astype(np.float32) / 32768, mel_frames.SPEC.sample_rate)
            yield item, names.index(corpus.names[corpus.items[unit]["class"]]), -1


def _stretches(sound: Sound) -> list[Clip]:
    """The recording, or some stretches of it where it is much longer than a lesson."""
    clip = sound.clip(mel_frames.SPEC.sample_rate)
    count = min(STRETCHES, max(1, clip.n_samples // LONGER))
    starts = np.linspace(0, max(0, clip.n_samples - LONGER), count).astype(int)
    return [trimmed(Clip(clip.samples[:, start:start + LONGER], clip.sample_rate)) for start in starts]
