# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the fusion paper (arXiv:2506.11811) in numbers, on held-out recordings.

The paper shows spectrograms and prints no numbers, so each figure is held against what the text says of it:

    fig. 1      the inversion without noise (a) rebuilds the original better than forward noise (b) or kept noise (c)
    fig. 2      from an inverted initial latent alone, the prompt wins: the result is hardly more like the original than
                a sample from scratch, nor is it from audio-to-audio
    fig. B.1    derived noise maps retrace the inversion
    fig. C.1    the cleaner the level at which the original steps in, the more of it; order 3 is vaguer than 1 and 2
    fig. E.1    the autoencoder blurs, and the null-prompt reconstruction loses more, features of faint highs above all

Of fig. C.1: an exact order 3 has no reason to be vaguer than 2. That of diffusers, in which Stable Audio Open runs, does
not converge (`server.sampling.step`): it takes back half of what was injected in one step and overdoes it in the next. It
stands beside ours. Order 1 is coarse in few steps (in 100 instead of 25, one clip of 1 s from three levels: 0.61, 0.52,
0.53 and, of diffusers, 0.59 nat). Of fig. E.1: features are events, not energy, which a model that fills the highs with
noise has more of; so the highs' course over time is held against the recording's, in the upper half of what was recorded.

Figure 3, the reference rebuilt after learning, is the part `learn_gap`. As in the paper, a rebuilt clip is held against the
original after the autoencoder. Rendering is the job kind `fuse` with nothing to lead (`reference=none`), so what is
measured is what a composer gets; fig. 2 needs a start of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip, fold_mono
from server.measure import timbre
from server.measure.band_detail import detail_kept
from server.measure.bench import Bench, Finding
from server.measure.distances import energy_above_db
from server.measure.held_out import Sound
from server.measure.log_mel_distance import log_mel_distance
from server.measure.lsd import lsd
from server.measure.noise_maps import retrace
from server.measure.picture import Pair, draw
from server.methods.fitting import Fitted, fit, repeat_to, unfit
from server.sampling.guide import guided
from server.sampling.invert import Mode, constant_inversion
from server.sampling.noise import KeyedNoise
from server.sampling.solve import State, solve

PICTURE = "original_autoencoder_inverted.png"
PROMPT, GUIDANCE = "An airplane takes off.", 7.0  # figure 2's prompt, and its pipeline's usual weight
LETTERS = {"clean": "a", "forward": "b", "noisy": "c"}
SMALL_WAY = 0.25
_AS_GOOD = 0.02  # nat
DIFFUSERS = "3 of diffusers"


@dataclass(frozen=True)
class Plan:
    """clips: recordings, each of another class; seconds of each; steps of the sampler; snr_db: where the original steps in
    (-21.6 and -8.7 dB are step 100 of 200 on Stable Audio Open and on AudioLDM 2)."""

    clips: int = 6
    seconds: float = 3.0
    steps: int = 25
    snr_db: tuple[float, ...] = (-21.6, -15.0, -8.7, -2.0, 5.0)


@dataclass(frozen=True)
class Subject:
    """A recording as the model takes it, its latents, and its round trip through the autoencoder.

    recorded_hz: nothing was recorded above it, or nothing is rendered.
    """

    title: str
    recorded_hz: float
    fitted: Fitted
    x0: Tensor
    best: Clip

    def compared(self, made: Clip) -> dict[str, float | None]:
        """A rebuilt clip against the round trip: cosine in `timbre-1`, log-mel distance (nat), LSD with a floor of 1e-5.

        None where latents that grew without bound have become no sound at all.
        """
        if not np.isfinite(made.samples).all():
            return {"likeness": None, "nat": None, "lsd": None}
        a, b = (fold_mono(clip).samples[0] for clip in (made, self.best))
        return {"likeness": timbre.similarity(made, self.best),
                "nat": float(log_mel_distance(a, b, made.sample_rate)), "lsd": float(lsd(a, b, floor=1e-5))}


def measure(bench: Bench, plan: Plan | None = None) -> dict:
    """Figures of every panel, means over the clips, and a picture of fig. E.1.

    Raises:
        NotMeasured: there are no held-out sounds, or the model does not render clips that long.
    """
    plan = plan or Plan()
    bench.need_seconds(plan.seconds)
    sounds = _drawn(bench, plan)
    panels: Mapping[str, Callable[[Bench, Plan, Subject], dict]] = {
        "variants": _variants, "orders": _orders, "starts": _starts, "blur": _blur, "retraced": _retraced}
    found: dict[str, list] = {name: [] for name in panels}
    pairs, clips = [], []
    for number, sound in enumerate(sounds):
        subject = _subject(bench, plan, sound)
        for place, (name, panel) in enumerate(panels.items()):
            bench.report(number * len(panels) + place, len(sounds) * len(panels), f"{name} of {subject.title}")
            found[name].append(panel(bench, plan, subject))
        clips.append(subject.title)
        pairs += _pictures(subject, found["blur"][-1].pop("clip"))
    draw(bench.folder / PICTURE, pairs, columns=4)
    return {"clips": clips, "plan": asdict(plan), **{name: _mean(rows) for name, rows in found.items()}}


def _drawn(bench: Bench, plan: Plan) -> list[Sound]:
    sounds = bench.need_held_out().drawn(1, bench.seed)
    order = np.random.default_rng([bench.seed, 84]).permutation(len(sounds))
    return [sounds[k] for k in order[:plan.clips]]


@torch.no_grad()
def _subject(bench: Bench, plan: Plan, sound: Sound) -> Subject:
    rate, backbone = bench.backbone.facts.sample_rate, bench.backbone
    clip = repeat_to(sound.clip(rate), round(plan.seconds * rate))
    fitted = fit(clip, backbone, "the original")
    x0 = backbone.encode(fitted.audio)
    recorded_hz = min(rate, sound.rate) / 2
    return Subject(f"{sound.class_name}: {sound.path.name}", recorded_hz, fitted, x0, _decoded(bench, fitted, x0))


def _decoded(bench: Bench, fitted: Fitted, latents: Tensor) -> Clip:
    return unfit(bench.backbone.decode(latents, fitted.n_samples), fitted, bench.backbone)


def _rebuilt(bench: Bench, plan: Plan, subject: Subject, snr_db: Sequence[float], **options: Any) -> Iterator[Clip]:
    """What `fuse` makes of the original alone, where it steps in at each level."""
    outputs = bench.studio("fuse", {"original": subject.fitted.source}, seed=bench.seed, reference="none", raw_level=True,
                           steps=plan.steps, snr_db=tuple(snr_db), **options)
    for output in outputs:
        assert output.clip is not None
        yield output.clip


def _curve(bench: Bench, plan: Plan, subject: Subject, **options: Any) -> dict[str, list[float | None]]:
    compared = [subject.compared(clip) for clip in _rebuilt(bench, plan, subject, plan.snr_db, **options)]
    return {name: [one[name] for one in compared] for name in compared[0]}


def _variants(bench: Bench, plan: Plan, subject: Subject) -> dict:
    """Fig. 1: every inversion at every level."""
    return {mode: _curve(bench, plan, subject, inversion=mode) for mode in get_args(Mode)}


def _orders(bench: Bench, plan: Plan, subject: Subject) -> dict:
    """Fig. C.1: every order at every level."""
    made = {str(order): _curve(bench, plan, subject, order=order) for order in (1, 2, 3)}
    return made | {DIFFUSERS: _curve(bench, plan, subject, order=3, form="diffusers")}


@torch.no_grad()
def _starts(bench: Bench, plan: Plan, subject: Subject) -> dict:
    """Fig. 2: the prompt from pure noise, from the inverted latent, from noise with the latent added (audio-to-audio)."""
    backbone, x0, items = bench.backbone, subject.x0, subject.fitted.items
    levels, noise = backbone.levels(plan.steps, "even"), KeyedNoise(bench.seed, [0] * items)
    e = noise.initial(x0.shape[1:]).to(x0)
    alpha, sigma = levels.at(0).factors(x0)
    starts = {"scratch": e, "inverted": constant_inversion(x0, levels, 0, "clean", noise),
              "audio_to_audio": alpha * x0 + sigma * e}
    prompt, null = (backbone.condition(words, plan.seconds) for words in (PROMPT, None))
    denoise = guided(backbone, [prompt] * items, [null] * items, GUIDANCE)
    return {name: subject.compared(_decoded(bench, subject.fitted, solve(denoise, State(x), levels, noise=noise).x))
            for name, x in starts.items()}


def _blur(bench: Bench, plan: Plan, subject: Subject) -> dict:
    """Fig. E.1: what the autoencoder loses of the original, and what the null-prompt reconstruction loses of both."""
    made = next(_rebuilt(bench, plan, subject, [-8.7]))
    rate = bench.backbone.facts.sample_rate
    highs = partial(_highs_db, hz=rate / 4)
    real, best, top = subject.fitted.source, subject.best, subject.recorded_hz
    halves = {"highs": (top / 2, top), "lows": (0.0, top / 2)}
    kept = {name: {which: detail_kept(clip, real, *band) for which, band in halves.items()}
            for name, clip in (("autoencoder", best), ("null_prompt", made))}
    return {"clip": made, "null_prompt": subject.compared(made),
            "autoencoder": subject.compared(real), "kept": kept,
            "highs_db": {"autoencoder": highs(best) - highs(real), "null_prompt": highs(made) - highs(real)}}


def _highs_db(clip: Clip, hz: float) -> float:
    return float(energy_above_db(torch.from_numpy(clip.samples), clip.sample_rate, hz).mean())


def _retraced(bench: Bench, plan: Plan, subject: Subject) -> dict:
    """Fig. B.1 in float32, as sampling computes."""
    levels, noise = bench.backbone.levels(plan.steps, "even"), KeyedNoise(bench.seed, [0] * len(subject.x0))
    e = noise.initial(subject.x0.shape[1:])
    return {solver: asdict(retrace(subject.x0, e, levels, solver)) for solver in ("sde", "ode")}


def _pictures(subject: Subject, made: Clip) -> list[Pair]:
    return [Pair(subject.title, subject.fitted.source, "through the autoencoder", subject.best),
            Pair("", None, "stepped in at -8.7 dB, null prompt", made)]


def _mean(rows: Sequence[Any]) -> Any:
    """Means over the clips, whatever the rows are made of; lists place by place. None where a clip has none."""
    if isinstance(rows[0], dict):
        return {name: _mean([row[name] for row in rows]) for name in rows[0]}
    if isinstance(rows[0], list):
        return [_mean(list(column)) for column in zip(*rows, strict=True)]
    if None in rows:
        return None
    value = float(np.mean(rows))
    return round(value, 4) if abs(value) > 1e-2 else float(f"{value:.3g}")


def findings(figures: dict) -> list[Finding]:
    """One row for each thing that the paper says of its figures."""
    n = f"{len(figures['clips'])} clips"
    nat, orders = ({key: _over_levels(curve) for key, curve in figures[panel].items()} for panel in ("variants", "orders"))
    starts = {name: one["likeness"] for name, one in figures["starts"].items()}
    way = {name: (starts[name] - starts["scratch"]) / (1 - starts["scratch"]) for name in ("inverted", "audio_to_audio")}
    falls = [bool(np.all(np.diff(np.array(curve["nat"], float)) < _AS_GOOD)) for curve in figures["orders"].values()]
    blur, kept, error = figures["blur"], figures["blur"]["kept"], max(one["error"] for one in figures["retraced"].values())
    return [
        Finding(f"fusion fig. 1, inversion variants, {n}", "(a) nearest to the original, before (b) and (c)",
                ", ".join(f"({letter}) {_shown(nat[mode])}" for mode, letter in LETTERS.items()) + " nat",
                nat["clean"] == min(nat[mode] for mode in LETTERS)),
        Finding(f"fusion fig. 2, initial latents, {n}", f"under {SMALL_WAY:.0%} of the way from a sample to the original",
                ", ".join(f"{name.replace('_', ' ')} {value:.0%}" for name, value in way.items()),
                max(way.values()) < SMALL_WAY),
        Finding("fusion fig. B.1, noise maps retrace the inversion", "relative error under 1e-3", f"{error:.1e}",
                error < 1e-3),
        Finding(f"fusion fig. C.1, cleaner level, more of the original, {n}", "in every order",
                f"in {sum(falls)} of {len(falls)}", all(falls)),
        Finding(f"fusion fig. C.1, order 3 is vaguer, {n}", "farther from the original than 1 and 2",
                ", ".join(f"order {order}: {value:.2f}" for order, value in orders.items()) + " nat",
                orders[DIFFUSERS] > max(orders["1"], orders["2"])),
        Finding(f"fusion fig. E.1, what is lost, {n}", "the null prompt keeps less of what happens in the highs",
                f"correlation {kept['null_prompt']['highs']:.2f}, of the autoencoder {kept['autoencoder']['highs']:.2f} "
                f"(in the lows {kept['null_prompt']['lows']:.2f} against {kept['autoencoder']['lows']:.2f}); energy of the "
                f"highs {blur['highs_db']['null_prompt']:+.1f} against {blur['highs_db']['autoencoder']:+.1f} dB",
                kept["null_prompt"]["highs"] < kept["autoencoder"]["highs"]),
    ]


def _over_levels(curve: Mapping[str, Sequence[float | None]]) -> float:
    """Mean distance over the levels; infinite where a clip became no sound."""
    return float("inf") if None in curve["nat"] else float(np.mean(curve["nat"]))


def _shown(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "no sound"


def lines(figures: dict) -> list[str]:
    """Tables of the panels."""
    levels = figures["plan"]["snr_db"]
    made = ["The paper shows these as spectrograms and prints no numbers. Log-mel distance to the original after the "
            "autoencoder, nat (cosine in timbre-1), by the level where the original steps in:", ""]
    made += ["| | " + " | ".join(f"{level:g} dB" for level in levels) + " |", "|---" * (len(levels) + 1) + "|"]
    for panel, name in (("variants", "{}"), ("orders", "clean, order {}")):
        for key, curve in figures[panel].items():
            letter = f" ({LETTERS[key]})" if key in LETTERS else ""
            pairs = zip(curve["nat"], curve["likeness"], strict=True)
            cells = ["no sound" if nat is None else f"{nat:.2f} ({likeness:.2f})" for nat, likeness in pairs]
            made.append(f"| {name.format(key)}{letter} | " + " | ".join(cells) + " |")
    made += ["", "Order 3 is exact to the third order here; that of diffusers weighs the curvature by nearly -1 however "
             "short the steps, and keeps less of what steps in. In few steps order 1 is coarse."]
    made += ["", f"Sampled with the prompt \"{PROMPT}\" and guidance {GUIDANCE:g}, held against the original:", "",
             "| start | cosine | nat | LSD |", "|---|---|---|---|"]
    rows = {**figures["starts"], "null prompt from -8.7 dB": figures["blur"]["null_prompt"],
            "original itself": figures["blur"]["autoencoder"]}
    made += [f"| {name.replace('_', ' ')} | {one['likeness']:.2f} | {one['nat']:.2f} | {one['lsd']:.2f} |"
             for name, one in rows.items()]
    made += ["", "Noise maps: " + "; ".join(
        f"{solver}, relative error {one['error']:.1e}, deviation grows {one['growth']:.3g} times"
        for solver, one in figures["retraced"].items()) + "."]
    return made
