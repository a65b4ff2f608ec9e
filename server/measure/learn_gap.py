# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a reference does learning recall?

For each held-out recording: the distance to it of what its class's prompt alone generates, of what the learned prompt
recalls, and of the autoencoder's round trip, as mean absolute difference of log-mel frames in nat (before the vocoder,
where the model has one). What counts is the share of the gap between the first and the last that learning closes. `null` is
the same for the null prompt, which leads the second phase of a fusion.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from server.kinds import parse_options
from server.measure.bench import Bench, Finding
from server.measure.held_out import Sound
from server.measure.mixture import SPEC
from server.measure.prompts import prompt_of
from server.methods import adapters
from server.methods.fitting import Fitted, fit, repeat_to
from server.methods.generate import sample
from server.models.base import Backbone
from server.models.mel import log_mel
from server.models.mel_backbone import MelBackbone
from server.sampling.noise import KeyedNoise

AIM = 0.7
_ENTRY = "gap"


@dataclass(frozen=True)
class Plan:
    """What is learned: clips (of as many classes as there are), seconds of each, options of `learn`."""

    clips: int = 10
    seconds: float = 5.0
    learn: Mapping[str, Any] = field(default_factory=dict)


def measure(bench: Bench, plan: Plan | None = None) -> dict:
    """Figures of every clip, and mean, median and worst share of the gap that is closed.

    Raises:
        NotMeasured: there are no held-out sounds, or the model does not render clips that long.
    """
    plan = plan or Plan()
    bench.need_seconds(plan.seconds)
    sounds, rows = bench.need_held_out().mixed(plan.clips, bench.seed, 73), []
    for number, sound in enumerate(sounds):
        bench.report(number, len(sounds), sound.class_name)
        rows.append(_clip(bench, plan, sound))
    closed = [row["closed"] for row in rows]
    return {"mean": round(float(np.mean(closed)), 4), "median": round(float(np.median(closed)), 4),
            "worst": round(min(closed), 4), "seconds_each": round(float(np.mean([row["seconds"] for row in rows])), 1),
            "plan": asdict(plan), "clips": rows}


def _clip(bench: Bench, plan: Plan, sound: Sound) -> dict:
    backbone, prompt = bench.backbone, prompt_of(sound.class_name)
    rate = backbone.facts.sample_rate
    fitted = fit(repeat_to(sound.clip(rate), round(plan.seconds * rate)), backbone, "the clip")
    asked = parse_options("generate", {"guidance": 1})
    real = _real(backbone, fitted)

    @torch.no_grad()
    def distance(latents: Tensor) -> float:
        return float((_mel(backbone, latents, fitted.n_samples) - real).abs().mean())

    def made(prompt: str) -> Tensor:
        return sample(backbone, prompt, asked, fitted.n_samples, KeyedNoise(bench.seed), bench.studio.context())

    with torch.no_grad():
        best, alone = distance(backbone.encode(fitted.audio[:1])), distance(made(prompt))
    started = time.perf_counter()
    bench.studio("learn", {"clip": fitted.source}, prompt=prompt, name=_ENTRY, seed=bench.seed, **plan.learn)
    seconds = time.perf_counter() - started
    with torch.no_grad(), adapters.recalled_by_name(backbone, bench.studio.palette, _ENTRY):
        near, null = distance(made(prompt)), distance(made(""))
    return {"class": sound.class_name, "file": sound.path.name, "prompt": prompt,
            "prompt_nat": round(alone, 4), "learned_nat": round(near, 4), "round_trip_nat": round(best, 4),
            "closed": round((alone - near) / (alone - best), 4), "null": round((alone - null) / (alone - best), 4),
            "seconds": round(seconds, 1)}


def _real(backbone: Backbone, fitted: Fitted) -> Tensor:
    """Log-mel of the clip as `_mel` gives that of latents."""
    audio = fitted.audio[:1]
    if not isinstance(backbone, MelBackbone):
        return _of_audio(audio)
    n_padded = backbone.latent_shape(fitted.n_samples)[1] * backbone.samples_per_latent
    return log_mel(F.pad(audio[:, 0], (0, n_padded - fitted.n_samples)), backbone.mel)


def _mel(backbone: Backbone, latents: Tensor, n_samples: int) -> Tensor:
    """Log-mel [1, frames, bands] of latents: the model's own before its vocoder, else that of its sound."""
    if isinstance(backbone, MelBackbone):
        return backbone.decode_mel(latents)
    return _of_audio(backbone.decode(latents, n_samples))


def _of_audio(audio: Tensor) -> Tensor:
    mono = audio.float().mean(dim=1)
    return log_mel(mono[:, : mono.shape[1] // SPEC.hop * SPEC.hop], SPEC)


def findings(figures: dict) -> list[Finding]:
    """One row of the table of aims."""
    plan = figures["plan"]
    how = "".join(f", {name} {value}" for name, value in plan["learn"].items())
    return [Finding(f"learn, {len(figures['clips'])} clips of {plan['seconds']:g} s{how}",
                    f"closes {AIM:.0%} of the gap from prompt alone to round trip",
                    f"mean {figures['mean']:.0%}, median {figures['median']:.0%}, worst {figures['worst']:.0%}; "
                    f"{figures['seconds_each']:.0f} s each", figures["mean"] >= AIM)]


def lines(figures: dict) -> list[str]:
    """A table, one row per clip."""
    return ["| clip | prompt alone, nat | learned | round trip | closed | by the null prompt | seconds |",
            "|---|---|---|---|---|---|---|",
            *(f"| {row['class']}: {row['file']} | {row['prompt_nat']:.2f} | {row['learned_nat']:.2f} | "
              f"{row['round_trip_nat']:.2f} | {row['closed']:.0%} | {row['null']:.0%} | {row['seconds']:.0f} |"
              for row in figures["clips"])]
