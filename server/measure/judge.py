# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge: which class does a clip sound like? Taught on recordings by sources that the model never learned from.

It hears with networks that others trained (`listening`) and has five ears, each a `linear_classifier` of what they hear.
The held-out recordings are divided into as many folds by source, class by class, and each ear is taught on all folds but
its own, and on the corpus's split `judge` (recordings, instruments, voices and synthesis of sources and seeds that no
network of the model has learned from), without which the abstract classes would have nothing to learn from. A real
recording is judged by the ear that has not learned from its source; a generated clip by all, whose log-probabilities are
averaged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip
from server.measure import lessons, linear_classifier, listening, probes
from server.measure.bench import Bench, Finding
from server.measure.held_out import Sound
from server.measure.linear_classifier import LinearClassifier

EARS = 5


@dataclass(frozen=True)
class Plan:
    """`corpus_clips` per class to learn from; `through` clips per class that are also judged after the model's round trip;
    `test_clips` of the corpus's split test per class."""

    corpus_clips: int = 40
    through: int = 3
    test_clips: int = 8


@dataclass(frozen=True, eq=False)
class Judge:
    """Class names in the order of the scores; the ears; per held-out hash, the ear that may judge it; how it hears."""

    names: list[str]
    ears: tuple[LinearClassifier, ...]
    fold: dict[str, int]
    listen: listening.Listen

    def scores(self, features: Tensor, sounds: Sequence[Sound | None] = ()) -> Tensor:
        """Log-probabilities `[clips, classes]` of features; of the ear that may judge where `sounds` says what they are."""
        each = torch.stack([ear(features).log_softmax(1) for ear in self.ears])
        scores = each.mean(0)
        for row, sound in enumerate(sounds):
            if sound is not None:
                scores[row] = each[self.fold[sound.sha256], row]
        return scores

    def of_clips(self, clips: Iterable[Clip], sounds: Sequence[Sound | None] = ()) -> Tensor:
        """`scores` of clips of any rate and length, a few at a time."""
        return self.scores(listening.of_clips(self.listen, clips), sounds)


def folds(sounds: Sequence[Sound], seed: int) -> dict[str, int]:
    """Hash of each recording to the ear that does not learn from it: sources in turn, class by class."""
    found = {}
    for name in sorted({sound.class_name for sound in sounds}):
        of_class = [sound for sound in sounds if sound.class_name == name]
        sources = sorted({sound.source for sound in of_class})
        first = int(hashlib.sha256(f"{seed} {name}".encode()).digest()[0])
        np.random.default_rng([seed, len(name), *name.encode()]).shuffle(sources)
        for sound in of_class:
            found[sound.sha256] = (sources.index(sound.source) + first) % EARS
    return found


def judge_of(bench: Bench, plan: Plan | None = None) -> Judge:
    """The judge, whose ears are kept in the bench's folder and taught first where they are not.

    Raises:
        NotMeasured: there is no corpus, or there are no held-out sounds with the networks beside them.
    """
    plan, corpus, held_out = plan or Plan(), bench.need_corpus(), bench.need_held_out()
    names = [corpus.names[index] for index in sorted(corpus.classes)]
    sounds = [sound for sound in held_out.sounds if sound.class_name in names]
    fold, listen = folds(sounds, bench.seed), listening.load(held_out.packages)
    path = bench.folder / f"judge-{_key(bench, plan, names, sounds)}.pt"
    if path.exists():
        kept = torch.load(path, weights_only=True)
        ears = tuple(LinearClassifier(state["mean"].shape[0], len(names)) for state in kept)
        for ear, state in zip(ears, kept, strict=True):
            ear.load_state_dict(state)
            ear.requires_grad_(False)
        return Judge(names, ears, fold, listen)
    taken = lessons.taken(bench, names, sounds, fold, plan.corpus_clips, listen)
    targets = torch.tensor(taken.targets)
    taught = []
    for ear in range(EARS):
        bench.report(ear, EARS, "the judge learns")
        counting = lessons.weights(taken.targets, taken.folds, ear)
        taught.append(linear_classifier.teach(taken.features, targets, counting, len(names)))
    torch.save([ear.state_dict() for ear in taught], path)
    return Judge(names, tuple(taught), fold, listen)


def _key(bench: Bench, plan: Plan, names: list[str], sounds: list[Sound]) -> str:
    taught = (plan.corpus_clips, bench.seed, len(bench.need_corpus().items))
    said = [str(taught), *names, *sorted(sound.sha256 for sound in sounds)]
    return hashlib.sha256(" ".join(said).encode()).hexdigest()[:12]


def measure(bench: Bench, plan: Plan | None = None) -> dict:
    """How often the judge is right about clips that it has not learned from: real, of the corpus, and after the model.

    Raises:
        NotMeasured: there is no corpus, or there are no held-out sounds with the networks beside them.
    """
    plan = plan or Plan()
    judge, corpus = judge_of(bench, plan), bench.need_corpus()
    sounds = [sound for sound in bench.need_held_out().sounds if sound.class_name in judge.names]
    rows = probes.rows_of(corpus, "test", plan.test_clips, bench.seed)
    through = probes.probes(bench, plan.through)
    after = []
    for number, probe in enumerate(through):
        bench.report(number, len(through), f"round trip of {probe.title}")
        after.append(probes.rebuilt(bench, probe))
    own: list[Sound | None] = [probe.sound for probe in through]
    wanted = [probe.class_name for probe in through]
    bench.report(0, 1, "the judge is asked about real clips")
    real = judge.of_clips((probes.of_sound(sound).clip for sound in sounds), sounds)
    return {
        "chance": round(1 / len(judge.names), 4), "classes": judge.names,
        "learned_from": {"held_out": len(sounds), "sources": len({sound.source for sound in sounds}),
                         "licences": dict(sorted({sound.source: sound.licence for sound in sounds}.items())),
                         "corpus": len(probes.rows_of(corpus, "judge", plan.corpus_clips, bench.seed))},
        "real": _counted(judge, real, [sound.class_name for sound in sounds], sounds),
        "corpus": _counted(judge, judge.of_clips(probes.of_row(corpus, row).clip for row in rows),
                           [corpus.names[corpus.items[row]["class"]] for row in rows]),
        "before_the_model": _counted(judge, judge.of_clips((probe.clip for probe in through), own), wanted, own),
        "through_the_model": _counted(judge, judge.of_clips(after, own), wanted, own),
    }


def _counted(judge: Judge, scores: Tensor, wanted: list[str], sounds: Sequence[Sound | None] = ()) -> dict:
    """Top-1 and top-3 over all, the mean of the classes' top-1, and each class's own."""
    ranked = scores.argsort(1, descending=True)
    target = torch.tensor([judge.names.index(name) for name in wanted])
    first, third = ranked[:, 0] == target, (ranked[:, :3] == target[:, None]).any(1)
    by_class = {}
    for name in dict.fromkeys(wanted):
        own = target == judge.names.index(name)
        sources = {sound.source for sound in sounds if sound is not None and sound.class_name == name}
        by_class[name] = {"clips": int(own.sum()), "top1": round(float(first[own].float().mean()), 4),
                          "sources": len(sources)}
    return {"clips": len(wanted), "top1": round(float(first.float().mean()), 4),
            "top3": round(float(third.float().mean()), 4),
            "mean_of_classes": round(float(np.mean([c["top1"] for c in by_class.values()])), 4), "by_class": by_class}


def findings(figures: dict) -> list[Finding]:
    """What the judge's word is worth."""
    real = figures["real"]
    return [Finding(f"the judge on real clips of sources it has not heard ({len(figures['classes'])} classes)", "stated",
                    f"{real['top1']:.0%} top-1, {real['top3']:.0%} top-3 of {real['clips']} clips; after the model's round "
                    f"trip {figures['through_the_model']['top1']:.0%} (the same clips before it "
                    f"{figures['before_the_model']['top1']:.0%})", None)]


def lines(figures: dict) -> list[str]:
    """A table of the classes."""
    made = ["| class | real clips | sources | judge right | corpus test | after the model |", "|---|---|---|---|---|---|"]
    for name in figures["classes"]:
        real = figures["real"]["by_class"].get(name)
        shown = (f"{real['clips']} | {real['sources']} | {real['top1']:.0%}" if real else "none | | ")
        others = [figures[part]["by_class"].get(name) for part in ("corpus", "through_the_model")]
        made.append(f"| {name} | {shown} | " + " | ".join(f"{o['top1']:.0%}" if o else "" for o in others) + " |")
    taught = figures["learned_from"]
    made += ["", f"Chance is {figures['chance']:.1%}. Taught on {taught['held_out']} held-out recordings of "
             f"{taught['sources']} sources, by folds, and {taught['corpus']} clips of the corpus's split judge."]
    if taught["licences"]:
        made += ["", "Held-out packages: " + ", ".join(f"{source} ({licence})" for source, licence
                                                       in taught["licences"].items()) + "."]
    return made
