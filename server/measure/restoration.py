# SPDX-License-Identifier: GPL-3.0-or-later
"""Restoration: every task held against doing nothing and against a classical method, on clips that no model was trained on.

The rows are those of DiffMusic's tables 1 and 2 (algorithm, with and without the vocoder mel-spectrogram constraint), and
two tasks more. LSD as the paper's, at 16 kHz; log-mel distance at the model's rate; SI-SDR, in a gap alone where there is
one; and the Frechet distance of the clips: in VGGish the paper's FAD, in the embedding that ships another figure, and of
so few clips in either for comparing the rows of one table alone.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from server.audio import Clip, fold_mono, resample
from server.errors import InvalidInput
from server.kinds import parse_options
from server.kinds.restore import RestoreOptions
from server.measure import diffmusic, timbre
from server.measure.bench import Bench, Finding, NotMeasured
from server.measure.damages import TRIALS, Damage, Sample, Trial
from server.measure.embedding import Vectors, frechet_audio_distance
from server.measure.held_out import HeldOut, Sound
from server.measure.log_mel_distance import log_mel_distance
from server.measure.lsd import lsd
from server.measure.prompts import prompt_of
from server.measure.si_sdr import si_sdr_db
from server.methods.context import Output

LSD_RATE = 16000
NOTHING, CLASSIC = "nothing", "classical"
UNPAIRED, SEPARATE = "the same, stems in any order", "the job separate"
"""Rows of a mixture alone: what its classic is worth without being told which stem is which, and the kind made for it."""
BY_WAVEFORM = ("dereverb, known room", "separate", "denoise", "declip")
"""Trials that are judged by SI-SDR: what is missing is determined by what is there. The others by log-mel distance."""
_LEAST_LEVEL_DB = -30.0


@dataclass(frozen=True)
class Plan:
    """What is restored: clips, seconds of each, options of `restore`.

    Of the options, `algorithm`, `vmc` and `task` leave out the rows and trials that have another; the others go to all.
    """

    clips: int = 10
    seconds: float = 3.0
    restore: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trials(self) -> dict[str, Trial]:
        """The trials of the task asked for, or all."""
        task = self.restore.get("task")
        return {name: trial for name, trial in TRIALS.items() if task in (None, trial.task)}

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """Options of `restore`, by the row's name."""
        others = {name: value for name, value in self.restore.items() if name not in ("task", "algorithm", "vmc")}
        asked = RestoreOptions.model_validate({"task": "denoise", **self.restore})
        algorithms = [asked.algorithm] if "algorithm" in self.restore else diffmusic.ALGORITHMS
        return {f"{algorithm}{'' if vmc else diffmusic.WITHOUT}": {**others, "algorithm": algorithm, "vmc": vmc}
                for vmc in ([asked.vmc] if "vmc" in self.restore else (True, False)) for algorithm in algorithms}


@dataclass(frozen=True)
class Made:
    """What one method made of one damaged clip, in how many CPU seconds; `refused`: nothing, so the clip is as it came."""

    damage: Damage
    clips: Sequence[Clip]
    cpu_s: float
    refused: bool = False


def measure(bench: Bench, plan: Plan | None = None) -> dict:
    """Figures of every task and row, and of every clip in it.

    Raises:
        NotMeasured: there are no held-out sounds, too few of them suit, or the model does not render clips that long.
        InvalidOption: an option that one of the tasks does not take, before anything is rendered.
    """
    plan = plan or Plan()
    bench.need_seconds(plan.seconds)
    samples = _samples(bench, plan)
    _check(plan, samples)
    trials, planned = {}, len(plan.trials) * len(samples)
    for title, trial in plan.trials.items():
        kept: dict[str, list[Made]] = {}
        for number in range(len(samples)):
            bench.report(len(trials) * len(samples) + number, planned, title)
            damage = trial.damage(samples, number)
            for name, made in _made(bench, plan, trial.task, damage):
                kept.setdefault(name, []).append(made)
        trials[title] = {name: _row(bench.frechet_in, all_made) for name, all_made in kept.items()}
    return {"plan": asdict(plan), "clips": len(samples), "frechet_in": bench.frechet_in.name, "trials": trials}


def _check(plan: Plan, samples: Sequence[Sample]) -> None:
    for trial in plan.trials.values():
        damage = trial.damage(samples, 0)
        for options in plan.rows.values():
            parse_options("restore", {"task": trial.task, **damage.options, **options},
                          frozenset(damage.clips) | frozenset(damage.files))


def _samples(bench: Bench, plan: Plan) -> list[Sample]:
    """Clips that suit, of as many classes as there are, by seed."""
    if plan.clips < 2:
        raise NotMeasured(f"Restoration compares sets of clips, of {plan.clips} there is none; say `--clips 2` or more.")
    rate, found = bench.backbone.facts.sample_rate, []
    for sound in _in_turn(bench.need_held_out(), bench.seed):
        if (clip := _suited(sound, rate, plan.seconds)) is not None:
            found.append(Sample(clip, prompt_of(sound.class_name)))
        if len(found) == plan.clips:
            break
    if len(found) < 2:
        raise NotMeasured(f"Fewer than two of the held-out sounds are {plan.seconds:g} s long and of {rate} Hz.")
    return found


def _in_turn(held_out: HeldOut, seed: int) -> list[Sound]:
    """Every sound, one of each class before a second one of any."""
    own = [held_out.of(name) for name in held_out.classes()]
    drawn = held_out.drawn(max(map(len, own)), seed)
    turn = {id(sound): k for name in held_out.classes()
            for k, sound in enumerate(sound for sound in drawn if sound.class_name == name)}
    order = np.random.default_rng([seed, 74]).permutation(len(drawn))
    return sorted((drawn[index] for index in order), key=lambda sound: turn[id(sound)])


def _suited(sound: Sound, rate: int, seconds: float) -> Clip | None:
    """The sound's first seconds, if it has them, has the whole band, and is heard in its middle and end too."""
    if sound.rate < rate:
        return None
    clip = sound.clip(rate)
    n = round(seconds * rate)
    if clip.n_samples < n:
        return None
    parts = np.array_split(clip.samples[0, :n].astype(np.float64), 4)
    levels = [np.mean(np.square(part)) for part in parts]
    return Clip(clip.samples[:, :n], rate) if min(levels) > 10 ** (_LEAST_LEVEL_DB / 10) * max(levels) else None


def _made(bench: Bench, plan: Plan, task: str, damage: Damage) -> Iterator[tuple[str, Made]]:
    """Row and clips of everything that is held against each other."""
    yield NOTHING, Made(damage, damage.nothing, 0.0)
    started = time.process_time()
    yield CLASSIC, Made(damage, damage.classical(), time.process_time() - started)
    for name, options in plan.rows.items():
        started, clips, refused = time.process_time(), damage.nothing, False
        try:
            clips = _restored(bench, damage, {"task": task, **damage.options, **options})
        except InvalidInput:  # a clip that tells no room, say: a composer is left with the clip as it came
            refused = True
        yield name, Made(damage, clips, time.process_time() - started, refused)
    for clips in damage.unpaired():
        yield UNPAIRED, Made(damage, clips, 0.0)
    if task == "separate":
        started = time.process_time()
        steps = {"steps": plan.restore["steps"]} if "steps" in plan.restore else {}
        outputs = bench.studio("separate", {"mixture": damage.clips["clip"]}, seed=bench.seed, **damage.options, **steps)
        yield SEPARATE, Made(damage, _sounds(outputs), time.process_time() - started)


def _restored(bench: Bench, damage: Damage, options: Mapping[str, Any]) -> Sequence[Clip]:
    with tempfile.TemporaryDirectory(prefix="athanor-restoration-") as folder:
        files = {}
        for role, array in damage.files.items():
            files[role] = Path(folder) / f"{role}.npy"
            np.save(files[role], array)
        outputs = bench.studio("restore", damage.clips, files=files, seed=bench.seed, **options)
    return _sounds(outputs)


def _sounds(outputs: Sequence[Output]) -> list[Clip]:
    return [output.clip for output in outputs if output.role in ("restored", "stem") and output.clip is not None]


def _row(vectors: Vectors, made: Sequence[Made]) -> dict[str, Any]:
    """Figures of one row over all clips; the Frechet distance is taken in `vectors`."""
    each = [_figures(one.damage, one.clips) for one in made]
    real = [clip for one in made for clip in one.damage.real]
    found = [clip for one in made for clip in one.clips]
    return {**{name: round(float(np.mean([figures[name] for figures in each])), 4) for name in each[0]},
            "frechet": round(frechet_audio_distance(vectors, real, found), 4),
            "cpu_s": round(float(np.mean([one.cpu_s for one in made])), 2),
            "refused": sum(one.refused for one in made), "each": each}


def _figures(damage: Damage, found: Sequence[Clip]) -> dict[str, float]:
    """LSD, log-mel distance and SI-SDR of one clip, the mean over its stems."""
    rows = []
    for real, made in zip(damage.real, found, strict=True):
        at_16k = [resample(fold_mono(clip), LSD_RATE).samples for clip in (made, real)]
        start, stop = damage.excerpt or (0, real.n_samples)
        margin = min(start, real.n_samples - stop, real.sample_rate // 10)
        heard = slice(start - margin, stop + margin)
        rows.append({
            "lsd": float(lsd(*at_16k).mean()),
            "log_mel": float(log_mel_distance(made.samples[:, heard], real.samples[:, heard], real.sample_rate).mean()),
            "si_sdr": float(si_sdr_db(made.samples[:, start:stop], real.samples[:, start:stop]).mean()),
        })
    return {name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]}


def findings(figures: dict) -> list[Finding]:
    """One row a trial: the first row of ours against doing nothing and the classical method."""
    found = []
    for title, rows in figures["trials"].items():
        ours = next(name for name in rows if name not in (NOTHING, CLASSIC))
        by, unit, sign = ("si_sdr", "dB", 1.0) if title in BY_WAVEFORM else ("log_mel", "nat", -1.0)
        value, nothing, classic = (rows[name][by] for name in (ours, NOTHING, CLASSIC))
        classical = TRIALS[title].classical
        found.append(Finding(
            f"restore, {title}: {_TITLES[by]}", f"better than nothing and {classical}",
            f"{value:.2f} {unit}; nothing {nothing:.2f}, {classical} {classic:.2f}",
            sign * value > max(sign * nothing, sign * classic)))
    return found


_TITLES = {"log_mel": "log-mel distance", "si_sdr": "SI-SDR"}


def lines(figures: dict) -> list[str]:
    """A table of all rows, with the published LSD and FAD beside."""
    made = [f"{figures['clips']} held-out clips of {figures['plan']['seconds']:g} s.", "",
            f"| task | row | LSD | log-mel, nat | SI-SDR, dB | Frechet in {figures.get('frechet_in', timbre.NAME)} | "
            "CPU s a clip | published LSD / FAD |",
            "|---|---|---|---|---|---|---|---|"]
    for title, rows in figures["trials"].items():
        for name, row in rows.items():
            shown = f"{TRIALS[title].classical} (classical)" if name == CLASSIC else name
            shown += f" ({row['refused']} refused)" if row["refused"] else ""
            made.append(f"| {title} | {shown} | {row['lsd']:.3f} | {row['log_mel']:.2f} | {row['si_sdr']:.1f} | "
                        f"{row['frechet']:.3f} | {row['cpu_s']:.1f} | {diffmusic.told(title, name)} |")
    return [*made, "", *diffmusic.orders(figures["trials"]), "", *NOTES]


NOTES = (
    "LSD: log10 of magnitudes at 16 kHz, as the paper's. Frechet: only in VGGish it is the paper's FAD. Log-mel and "
    "SI-SDR of an inpainted clip: of the gap alone (log-mel with up to 0.1 s on both sides). A clip that `restore` refuses "
    "counts as it came. Of a mixture also NMF's stems as they come, the mean over both orders, and the job `separate`.",
    "",
    f"Published: {diffmusic.ABOUT}",
)
