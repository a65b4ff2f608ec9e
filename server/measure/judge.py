# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge: which class does a clip sound like? Taught on recordings by sources that the model never learned from.

It has four ears. The held-out recordings are divided into as many folds by source, class by class, and each ear is taught
on all folds but its own, and on the corpus's split `judge` (recordings, instruments, voices and synthesis of sources and
seeds that no network of the model has learned from), without which the abstract classes would have nothing to learn from. A
real recording is judged by the ear that has not learned from its source; a generated clip by all, whose log-probabilities
are averaged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip
from server.measure import ear, lessons, listening, mel_frames, probes
from server.measure.bench import Bench, Finding
from server.measure.held_out import Sound
from server.measure.held_out_sources import NETWORKS
from server.measure.mel_classifier import Course

EARS = 4


@dataclass(frozen=True)
class Plan:
    """`corpus_clips` per class to learn from; `through` clips per class that are also judged after the model's round trip;
    `test_clips` of the corpus's split test per class."""

    corpus_clips: int = 60
    through: int = 3
    test_clips: int = 8
    course: Course = field(default_factory=Course)


@dataclass(frozen=True, eq=False)
class Judge:
    """Class names in the order of the scores; the ears; per held-out hash, the ear that may judge it; how it hears."""

    names: list[str]
    ears: tuple[ear.Ear, ...]
    fold: dict[str, int]
    listen: listening.Listen

    def scores(self, each: Tensor, sounds: Sequence[Sound | None] = ()) -> Tensor:
        """Log-probabilities `[clips, classes]` of what `each` ear says `[ears, clips, classes]`: their mean, or the word of
        the ear that may judge where `sounds` says what the clips are."""
        scores = each.mean(0)
        for row, sound in enumerate(sounds):
            if sound is not None:
                scores[row] = each[self.fold[sound.sha256], row]
        return scores

    def of_clips(self, clips: Iterable[Clip], sounds: Sequence[Sound | None] = ()) -> Tensor:
        """`scores` of clips of any rate and length."""
        return self.scores(self.by_ear(clips), sounds)

    def by_ear(self, clips: Iterable[Clip]) -> Tensor:
        """Log-probabilities `[ears, clips, classes]` of clips of any rate and length, heard a few at a time."""
        said = []
        for some in listening.by(listening.AT_ONCE, clips):
            audio = mel_frames.audio_of(some)
            mels, features = mel_frames.mel_frames(audio), self.listen(audio)
            said.append(torch.stack([one(mels, features) for one in self.ears]))
        return torch.cat(said, 1)


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
        ears = [ear.from_state(state, len(names)) for state in torch.load(path, weights_only=True)]
        return Judge(names, tuple(ears), fold, listen)
    taken = lessons.taken(bench, names, sounds, fold, plan.corpus_clips, listen)
    taught = []
    for which in range(EARS):
        bench.report(which, EARS, "the judge learns")
        taught.append(ear.teach(taken, which, len(names), replace(plan.course, seed=plan.course.seed + which)))
    torch.save([one.state_dict() for one in taught], path)
    return Judge(names, tuple(taught), fold, listen)


def _key(bench: Bench, plan: Plan, names: list[str], sounds: list[Sound]) -> str:
    taught = (plan.corpus_clips, plan.course, bench.seed, len(bench.need_corpus().items))
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
             f"{taught['sources']} sources, by folds, and {taught['corpus']} clips of the corpus's split judge. It hears "
             + "by " + " and ".join(f"{network.name} {network.version} ({network.licence})" for network in NETWORKS) + "."]
    if taught["licences"]:
        made += ["", "Held-out packages: " + ", ".join(f"{source} ({licence})" for source, licence
                                                       in taught["licences"].items()) + "."]
    return made
