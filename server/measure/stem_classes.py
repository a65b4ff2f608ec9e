# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a stem move toward the class that was asked for, and away from the other's?

Mixtures of two held-out recordings of different classes are taken apart by the example prompts of their classes. A stem has
moved if who listens finds its own class likelier in it than in the mixture, and the other class less likely. Who listens is
CLAP (its agreement with the words), where the bench has it, or else the judge (`judge`), which needs the corpus to learn
from: how likely a class is in a mixture, a source or a stem is the word of the ear that has never heard that class's own
recording. Neither is right about every true recording, so the true stems are measured alike, as the ceiling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from server.audio import Clip
from server.errors import InvalidOption
from server.measure import judge as judges
from server.measure.bench import Bench, NotMeasured
from server.measure.clap import Clap
from server.measure.datasets.mixture import Mixture
from server.measure.datasets.offline import event_mixture, event_sounds
from server.measure.held_out import Sound
from server.measure.prompts import prompt_of

Separate = Callable[[Mixture], Sequence[Clip]]
"""The masked stems of a mixture, in the order of its labels."""
Listen = Callable[[Sequence[Clip], Sequence[Sound]], np.ndarray]
"""How likely each class is in each clip, [classes, clips], for the classes of the recordings given."""


def moved(before: np.ndarray, after: np.ndarray) -> list[bool]:
    """Of every stem, whether its own class has risen and every other has fallen.

    Args:
        before: of the mixture, [classes]; after: of the stems, [classes, stems], the stems in the order of the classes.
    """
    higher, lower = after > before[:, None], after < before[:, None]
    own = np.eye(len(before), dtype=bool)
    return [bool(np.where(own[k], higher[:, k], lower[:, k]).all()) for k in range(len(before))]


def measure(bench: Bench, separate: Separate, count: int, seconds: float, sample_rate: int,
            judge: judges.Plan | None, tell: Callable[[int, str], None]) -> dict[str, Any]:
    """Shares of stems and of true stems that moved, and how each of `count` mixtures went; "not_measured" with the reason
    where nobody can listen.

    Args:
        judge: how it learns, where it listens; tell: told how many mixtures came before, and the name of the next.
    """
    if not count:
        return {"not_measured": "No mixtures of events were asked for."}
    try:
        name, listen, classes = _listener(bench, judge)
        drawn = event_sounds(bench.need_held_out(), bench.seed, count, classes=classes)
    except (NotMeasured, InvalidOption) as reason:
        return {"not_measured": reason.message}
    rows = []
    for number, sounds in enumerate(drawn):
        mixture = event_mixture(sounds, seconds=seconds, sample_rate=sample_rate)
        tell(number, mixture.name)
        heard = listen([mixture.clip, *mixture.stems.values(), *separate(mixture)], sounds)
        n = len(sounds)
        rows.append({"name": mixture.name, "classes": [sound.class_name for sound in sounds],
                     "moved": moved(heard[:, 0], heard[:, 1 + n :]), "true": moved(heard[:, 0], heard[:, 1 : 1 + n]),
                     "toward": (np.diagonal(heard[:, 1 + n :]) > heard[:, 0]).tolist()})
    return {"listener": name, "seconds": seconds, **_shares(rows), "mixtures": rows}


def _shares(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Of all stems; `of_true`: of those whose true stem has moved."""
    got, true, toward = (np.array([row[key] for row in rows]) for key in ("moved", "true", "toward"))
    return {"moved": round(float(got.mean()), 3), "ceiling": round(float(true.mean()), 3),
            "toward": round(float(toward.mean()), 3), "of_true": round(float(got[true].mean()) if true.any() else 0.0, 3)}


def _listener(bench: Bench, judge: judges.Plan | None) -> tuple[str, Listen, list[str] | None]:
    """Who listens: name, how, and the classes known, None for any."""
    hearing = bench.hearing
    if isinstance(hearing, Clap) and hearing.hears_words:
        def by_words(clips: Sequence[Clip], sounds: Sequence[Sound]) -> np.ndarray:
            words = [prompt_of(sound.class_name) for sound in sounds]
            return np.array([[hearing.text_agreement(clip, prompt) for clip in clips] for prompt in words])

        return hearing.name, by_words, None
    told = judges.judge_of(bench, judge)

    def by_judge(clips: Sequence[Clip], sounds: Sequence[Sound]) -> np.ndarray:
        each = told.by_ear(clips)
        return np.stack([each[told.fold[sound.sha256], :, told.names.index(sound.class_name)].numpy() for sound in sounds])

    return "the judge", by_judge, told.names


def line(figures: Mapping[str, Any]) -> str:
    """What was found, in a sentence."""
    if "not_measured" in figures:
        return f"Toward the class asked for: not measured. {figures['not_measured']}"
    n = len(figures["mixtures"])
    return (f"On {n} mixtures of two events, heard by {figures['listener']}: {figures['moved']:.0%} of the stems have "
            f"moved toward the class asked for and away from the other ({figures['toward']:.0%} toward it at all); of the "
            f"true stems {figures['ceiling']:.0%} have, and where those have, {figures['of_true']:.0%} of ours.")
