# SPDX-License-Identifier: GPL-3.0-or-later
"""What do windows change and cost? A long clip through a model whole and in windows: round trip, seams, time.

    python benchmarks/long_clip.py FILE [MODEL]

The network and the autoencoder take the whole clip too, off their trained length, so the two can be compared. Printed are
the log-mel error of the round trip, where two windows fade into each other and elsewhere, and of a render from noise (10
steps, no words) how its latents spread and change from frame to frame in these places: a seam would show as less or more.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from server.audio import read_clip, resample, to_channels
from server.models.base import Backbone
from server.models.loading import load
from server.models.mel import log_mel
from server.models.mel_spec import MelSpec
from server.models.windowed import windowed
from server.sampling.guide import guided
from server.sampling.noise import KeyedNoise
from server.sampling.solve import State, solve
from server.sampling.windows import WindowPlan, plan_windows

T = TypeVar("T")
LOUD_DB = 60.0  # below the loudest band nothing counts


def main() -> None:
    if len(sys.argv) < 2:
        raise SystemExit("usage: python benchmarks/long_clip.py FILE [MODEL]")
    inner = load(sys.argv[2] if len(sys.argv) > 2 else "embedded")
    facts, outer = inner.facts, windowed(inner)
    clip = to_channels(resample(read_clip(sys.argv[1]), facts.sample_rate), facts.channels)
    audio = torch.from_numpy(clip.samples)[None]
    audio = (0.5 / audio.abs().max() * audio).to(inner.device)
    plan = plan_windows(inner.latent_shape(audio.shape[-1])[1], outer.window_frames)
    if plan.n_windows == 1:
        raise SystemExit(f"{sys.argv[1]} fits into one window of {facts.max_s:.1f} s; give a longer file.")
    share = plan.n_windows * plan.length / plan.n_frames
    print(f"{clip.duration_s:.1f} s: {plan.n_windows} windows of {plan.length} frames, {share:.2f} times the clip's")
    faded, latents = _faded(plan), {}
    for name, backbone in (("whole", inner), ("windows", outer)):
        (latents[name], heard), coding_s = _timed(lambda b=backbone: _round_trip(b, audio))
        drawn, sampling_s = _timed(lambda b=backbone: _from_noise(b, plan.n_frames, audio.shape[-1]))
        print(f"{name} (in fades, elsewhere)")
        _tell("  round trip, log-mel error, dB", _mel_error(heard, audio, facts.sample_rate), faded, coding_s)
        flat = drawn[0].movedim(1, 0).flatten(1)
        _tell("  from noise, spread", flat.std(1), faded, sampling_s)
        _tell("  from noise, change per frame", (flat[1:] - flat[:-1]).square().mean(1).sqrt(), faded[1:])
    apart = (latents["windows"] - latents["whole"]).norm() / latents["whole"].norm()
    print(f"latents in windows against whole: {20 * math.log10(max(float(apart), 1e-10)):.0f} dB")


def _tell(what: str, values: Tensor, faded: Tensor, seconds: float | None = None) -> None:
    """Means of `values` [n] over the frames of fades and over the others."""
    there = F.interpolate(faded.float()[None, None], len(values))[0, 0] > 0.5
    took = "" if seconds is None else f"  {seconds:.1f} s"
    print(f"{what:32} {float(values[there].mean()):.3f} {float(values[~there].mean()):.3f}{took}", flush=True)


def _faded(plan: WindowPlan) -> Tensor:
    """Which frames two windows share a part in, [frames]."""
    faded = torch.zeros(plan.n_frames, dtype=torch.bool)
    for start in plan.fades:
        faded[start : start + plan.fade] = True
    return faded


@torch.no_grad()
def _round_trip(backbone: Backbone, audio: Tensor) -> tuple[Tensor, Tensor]:
    latents = backbone.encode(audio)
    return latents, backbone.decode(latents, audio.shape[-1])


@torch.no_grad()
def _from_noise(backbone: Backbone, n_frames: int, n_samples: int) -> Tensor:
    noise, null = KeyedNoise(1), [backbone.condition(None, n_samples / backbone.facts.sample_rate)]
    start = State(noise.initial(backbone.latent_shape(n_samples)).to(backbone.device))
    denoise = guided(backbone, null, null, 0.0)
    return solve(denoise, start, backbone.levels(10, "even"), noise=noise).x[:, :, :n_frames].cpu()


def _mel_error(heard: Tensor, audio: Tensor, sample_rate: int) -> Tensor:
    """Mean log-mel error of each frame in dB, over the bands that are loud enough, [frames]."""
    spec = MelSpec(sample_rate, n_fft=1024, hop=256, n_mels=64, f_max=sample_rate / 2)
    there, here = (20 / math.log(10) * log_mel(x.mean(1), spec)[0].cpu() for x in (audio, heard))
    loud = there > there.max() - LOUD_DB
    return (loud * (here - there).abs()).sum(1) / loud.sum(1).clamp(min=1)


def _timed(make: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    return make(), time.perf_counter() - started


if __name__ == "__main__":
    main()
