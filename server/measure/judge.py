# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge: which class does a clip sound like? Taught on recordings by sources that the model never learned from.

It has two ears, each a `mel_classifier`. The held-out recordings are divided into two halves by source, class by class,
and each ear is taught on one half, and both on the corpus's split `judge` (recordings, instruments, voices and synthesis
of sources and seeds that no network of the model has learned from), without which the abstract classes would have
nothing to learn from. A real recording is judged by the ear that has not learned from its source; a generated clip by
both, whose log-probabilities are averaged.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip
from server.measure import mel_frames, probes
from server.measure.bench import Bench, Finding
from server.measure.held_out import Sound, trimmed
from server.measure.mel_classifier import Lessons, MelClassifier, teach
from server.models.embedded.corpus import Corpus
from server.models.embedded.format import ITEM_SAMPLES

LONGER = ITEM_SAMPLES  # samples of a lesson, some more than a clip so that its start varies
STRETCHES = 3  # lessons from one long recording
REAL_SHARE = 0.6  # of the lessons of a class that has held-out recordings


@dataclass(frozen=True)
class Plan:
    """`corpus_clips` per class to learn from; `through` clips per class that are also judged after the model's round trip;
    `test_clips` of the corpus's split test per class."""

    corpus_clips: int = 60
    through: int = 3
    test_clips: int = 8
    lessons: Lessons = field(default_factory=Lessons)


@dataclass(frozen=True, eq=False)
class Judge:
    """Class names in the order of the scores; the two ears; per held-out hash, the ear that may judge it."""

    names: list[str]
    ears: tuple[MelClassifier, MelClassifier]
    half: dict[str, int]

    @torch.no_grad()
    def scores(self, mels: Tensor, sounds: list[Sound | None] | None = None) -> Tensor:
        """Log-probabilities `[clips, classes]` of mels; of the ear that may judge where `sounds` says what they are."""
        each = torch.stack([torch.cat([ear(part).log_softmax(1) for part in mels.split(64)]) for ear in self.ears])
        scores = each.mean(0)
        for row, sound in enumerate(sounds or []):
            if sound is not None:
                scores[row] = each[self.half[sound.sha256], row]
        return scores

    def of_clips(self, clips: Iterable[Clip], sounds: list[Sound | None] | None = None) -> Tensor:
        """`scores` of clips of any rate and length, a few at a time."""
        parts, waiting = [], iter(clips)
        while some := list(islice(waiting, 16)):
            parts.append(mel_frames.of_clips(some))
        return self.scores(torch.cat(parts), sounds)


def halves(sounds: list[Sound], seed: int) -> dict[str, int]:
    """Hash of each recording to the ear, 0 or 1, that does not learn from it: sources in turn, class by class."""
    found = {}
    for name in sorted({sound.class_name for sound in sounds}):
        of_class = [sound for sound in sounds if sound.class_name == name]
        sources = sorted({sound.source for sound in of_class})
        first = int(hashlib.sha256(f"{seed} {name}".encode()).digest()[0] % 2)
        np.random.default_rng([seed, len(name), *name.encode()]).shuffle(sources)
        for sound in of_class:
            found[sound.sha256] = (sources.index(sound.source) + first) % 2
    return found


def judge_of(bench: Bench, plan: Plan | None = None) -> Judge:
    """The judge kept in the bench's folder, taught first where there is none.

    Raises:
        NotMeasured: there is no corpus.
    """
    plan, corpus = plan or Plan(), bench.need_corpus()
    names = [corpus.names[index] for index in sorted(corpus.classes)]
    sounds = [sound for sound in (bench.held_out.sounds if bench.held_out else ()) if sound.class_name in names]
    half = halves(sounds, bench.seed)
    path = bench.folder / f"judge-{_key(bench, plan, names, sounds)}.pt"
    if path.exists():
        kept = torch.load(path, weights_only=True)
        ears = tuple(MelClassifier(len(names)) for _ in range(2))
        for ear, weights in zip(ears, kept, strict=True):
            ear.load_state_dict(weights)
        return Judge(names, (ears[0].eval(), ears[1].eval()), half)
    ears = _taught(bench, plan, corpus, names, sounds, half)
    torch.save([ear.state_dict() for ear in ears], path)
    return Judge(names, ears, half)


def _taught(bench: Bench, plan: Plan, corpus: Corpus, names: list[str], sounds: list[Sound],
            half: dict[str, int]) -> tuple[MelClassifier, MelClassifier]:
    rows = probes.rows_of(corpus, "judge", plan.corpus_clips, bench.seed)
    bench.report(0, 3, "the judge listens to its lessons")
    # One tensor for all: many small ones between the long recordings would leave the memory in pieces.
    mels = torch.empty(len(rows) + STRETCHES * len(sounds), LONGER // mel_frames.SPEC.hop // mel_frames.POOL,
                       mel_frames.SPEC.n_mels)
    targets, half_of = [names.index(corpus.names[corpus.items[row]["class"]]) for row in rows], [-1] * len(rows)
    for at, row in enumerate(rows):
        mels[at] = mel_frames.of_clips([_item(corpus, row)], LONGER)[0]
    for sound in sounds:
        stretches = mel_frames.of_clips(_stretches(sound), LONGER)
        mels[len(targets):len(targets) + len(stretches)] = stretches
        targets += [names.index(sound.class_name)] * len(stretches)
        half_of += [half[sound.sha256]] * len(stretches)
    mels = mels[:len(targets)]
    ears = []
    for ear in (0, 1):
        bench.report(1 + ear, 3, "the judge learns")
        lessons = replace(plan.lessons, seed=plan.lessons.seed + ear)
        ears.append(teach(mels, torch.tensor(targets), _weights(targets, half_of, ear), len(names), lessons))
    return ears[0], ears[1]


def _item(corpus: Corpus, row: int) -> Clip:
    return Clip(corpus.audio[row][None].astype(np.float32) / 32768, mel_frames.SPEC.sample_rate)


def _stretches(sound: Sound) -> list[Clip]:
    """The recording, or some stretches of it where it is much longer than a lesson."""
    clip = sound.clip(mel_frames.SPEC.sample_rate)
    count = min(STRETCHES, max(1, clip.n_samples // LONGER))
    starts = np.linspace(0, max(0, clip.n_samples - LONGER), count).astype(int)
    return [trimmed(Clip(clip.samples[:, start:start + LONGER], clip.sample_rate)) for start in starts]


def _weights(targets: list[int], half_of: list[int], ear: int) -> Tensor:
    """How often an ear hears each lesson: classes alike, in each `REAL_SHARE` from held-out recordings that it may hear."""
    kinds = [None if half == ear else (target, half >= 0) for target, half in zip(targets, half_of, strict=True)]
    count = Counter(kind for kind in kinds if kind)
    weights = []
    for kind in kinds:
        if kind is None:
            weights.append(0.0)
            continue
        both = count[kind[0], True] and count[kind[0], False]
        share = (REAL_SHARE if kind[1] else 1 - REAL_SHARE) if both else 1.0
        weights.append(share / count[kind])
    return torch.tensor(weights)


def _key(bench: Bench, plan: Plan, names: list[str], sounds: list[Sound]) -> str:
    taught = (plan.corpus_clips, plan.lessons, bench.seed, len(bench.need_corpus().items))
    said = [str(taught), *names, *sorted(sound.sha256 for sound in sounds)]
    return hashlib.sha256(" ".join(said).encode()).hexdigest()[:12]


def measure(bench: Bench, plan: Plan | None = None) -> dict:
    """How often the judge is right about clips that it has not learned from: real, of the corpus, and after the model.

    Raises:
        NotMeasured: there is no corpus.
    """
    plan = plan or Plan()
    judge, corpus = judge_of(bench, plan), bench.need_corpus()
    sounds = [s for s in (bench.held_out.sounds if bench.held_out else ()) if s.class_name in judge.names]
    rows = probes.rows_of(corpus, "test", plan.test_clips, bench.seed)
    through = probes.probes(bench, plan.through)
    after = []
    for number, probe in enumerate(through):
        bench.report(number, len(through), f"round trip of {probe.title}")
        after.append(probes.rebuilt(bench, probe))
    own: list[Sound | None] = [probe.sound for probe in through]
    wanted = [probe.class_name for probe in through]
    bench.report(0, 1, "the judge is asked about real clips")
    real = judge.of_clips((probes.of_sound(sound).clip for sound in sounds), list(sounds)) if sounds else None
    return {
        "chance": round(1 / len(judge.names), 4), "classes": judge.names,
        "learned_from": {"held_out": len(sounds), "sources": len({sound.source for sound in sounds}),
                         "licences": dict(sorted({sound.source: sound.licence for sound in sounds}.items())),
                         "corpus": len(probes.rows_of(corpus, "judge", plan.corpus_clips, bench.seed))},
        "real": None if real is None else _counted(judge, real, [s.class_name for s in sounds], list(sounds)),
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
    said = (f"{real['top1']:.0%} top-1, {real['top3']:.0%} top-3 of {real['clips']} clips" if real
            else f"no real clips; {figures['corpus']['top1']:.0%} of the corpus's test clips")
    return [Finding(f"the judge on real clips of sources it has not heard ({len(figures['classes'])} classes)", "stated",
                    f"{said}; after the model's round trip {figures['through_the_model']['top1']:.0%} "
                    f"(the same clips before it {figures['before_the_model']['top1']:.0%})", None)]


def lines(figures: dict) -> list[str]:
    """A table of the classes."""
    made = ["| class | real clips | sources | judge right | corpus test | after the model |", "|---|---|---|---|---|---|"]
    for name in figures["classes"]:
        real = (figures["real"] or {"by_class": {}})["by_class"].get(name)
        shown = (f"{real['clips']} | {real['sources']} | {real['top1']:.0%}" if real else "none | | ")
        others = [figures[part]["by_class"].get(name) for part in ("corpus", "through_the_model")]
        made.append(f"| {name} | {shown} | " + " | ".join(f"{o['top1']:.0%}" if o else "" for o in others) + " |")
    taught = figures["learned_from"]
    made += ["", f"Chance is {figures['chance']:.1%}. Taught on {taught['held_out']} held-out recordings of "
             f"{taught['sources']} sources, by halves, and {taught['corpus']} clips of the corpus's split judge."]
    if taught["licences"]:
        made += ["", "Held-out packages: " + ", ".join(f"{source} ({licence})" for source, licence
                                                       in taught["licences"].items()) + "."]
    return made
