# SPDX-License-Identifier: GPL-3.0-or-later
"""What does it cost to take a mixture apart? The published sequence of network calls beside ours, on the same weights.

    python benchmarks/separate_cost.py [--stems 4] [--steps 50] [--seconds 3]

The published code (ZeroSep) runs one stem at a time: the inversion anew for each, step by step; in the reverse pass the
conditional and the unconditional answer as two calls, of which the second is multiplied by 0 at guidance 1; with ddim two
calls a step on the way up as well. By arithmetic, K stems in N steps: K (N + 2N) evaluations with ddpm and K 4N with ddim;
N + K N here, with either. Both use the same noise, so their latents can be compared.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip
from server.kinds import parse_options
from server.measure.studio import Studio
from server.methods.count import Counter
from server.methods.fitting import fit
from server.methods.separate import Separation, Target
from server.models.base import Backbone
from server.models.loading import load
from server.sampling.levels import Levels
from server.sampling.noise import KeyedNoise
from server.sampling.step import coefficients

WORDS = ("a cello", "a breathy flute", "a trumpet", "a grand piano", "a choir singing aah", "rain on a roof")


class Counted:
    """A backbone's denoiser as it stands, counted."""

    def __init__(self, backbone: Backbone) -> None:
        self.evaluations, self.calls, self._denoise = 0, 0, backbone.denoise
        backbone.denoise = self  # type: ignore[method-assign]

    def __call__(self, x: Tensor, level, conditionings) -> Tensor:
        self.evaluations, self.calls = self.evaluations + len(x), self.calls + 1
        return self._denoise(x, level, conditionings)


def guided_apart(backbone: Backbone, x: Tensor, levels: Levels, i: int, words, null) -> Tensor:
    """Two calls, and guidance 1 of their answers."""
    without, with_words = (backbone.denoise(x, levels.at(i), [c]) for c in (null, words))
    return without + 1.0 * (with_words - without)


@torch.no_grad()
def published_ddpm(backbone: Backbone, x0: Tensor, levels: Levels, noise: KeyedNoise, words: list, null) -> list[Tensor]:
    """Per stem: N calls up, one level after the other, and 2 N down."""
    n, fresh, stems = levels.n_steps, noise.stream("edit-friendly"), []
    for prompt in words:
        states = [float(levels.alpha[i]) * x0 + float(levels.sigma[i]) * fresh(i, x0.shape[1:]) for i in range(n)] + [x0]
        left = []
        for i in range(n):
            step = coefficients(levels, i, "sde")
            left.append(states[i + 1] - step.A * states[i] - step.B * backbone.denoise(states[i], levels.at(i), [null]))
        x = states[0]
        for i in range(n):
            step = coefficients(levels, i, "sde")
            x = step.A * x + step.B * guided_apart(backbone, x, levels, i, prompt, null) + left[i]
        stems.append(x)
    return stems


@torch.no_grad()
def published_ddim(backbone: Backbone, x0: Tensor, levels: Levels, noise: KeyedNoise, words: list, null) -> list[Tensor]:
    """Per stem: 2 N calls up and 2 N down."""
    stems = []
    for prompt in words:
        x = x0
        for i in reversed(range(levels.n_steps)):
            (alpha_t, sigma_t), (alpha_s, sigma_s) = ((float(levels.alpha[j]), float(levels.sigma[j])) for j in (i, i + 1))
            eps = (x - alpha_t * guided_apart(backbone, x, levels, i, null, null)) / sigma_t
            x = alpha_t * (x - sigma_s * eps) / alpha_s + sigma_t * eps
        for i in range(levels.n_steps):
            step = coefficients(levels, i, "ode")
            x = step.A * x + step.B * guided_apart(backbone, x, levels, i, prompt, null)
        stems.append(x)
    return stems


def timed(counted: Counted, work: Callable[[], list[Tensor]]) -> tuple[list[Tensor], int, int, float, float]:
    """Stems of a piece of work, its evaluations, calls, seconds, and seconds of processor time."""
    counted.evaluations = counted.calls = 0
    wall, processor = time.perf_counter(), time.process_time()
    stems = work()
    return stems, counted.evaluations, counted.calls, time.perf_counter() - wall, time.process_time() - processor


def compare(inversion: str, words: tuple[str, ...], n_steps: int, clip: Clip, studio: Studio, counted: Counted) -> None:
    """Print what both take, and how far their latents are apart."""
    backbone, noise, seconds = studio.backbone, KeyedNoise(0), clip.duration_s
    options = parse_options("separate", {"stem": words, "inversion": inversion, "steps": n_steps})
    levels, mixture = backbone.levels(options.steps, options.schedule), fit(clip, backbone, "the mixture")
    with torch.no_grad():
        x0 = backbone.encode(mixture.audio)
    separation = Separation(backbone, options, levels, mixture, noise, Counter(studio.context()))
    published = published_ddpm if inversion == "ddpm" else published_ddim
    conditionings, null = [backbone.condition(prompt, seconds) for prompt in words], backbone.condition(None, seconds)
    theirs = timed(counted, lambda: published(backbone, x0, levels, noise, conditionings, null))
    targets = [Target(prompt, None, 1.0) for prompt in words]
    ours = timed(counted, lambda: list(separation.latents(x0, targets).split(1)))
    for name, (_, evaluations, calls, wall, processor) in (("published", theirs), ("ours", ours)):
        print(f"{inversion} {name:10} {evaluations:5} evaluations {calls:5} calls {wall:7.1f} s, "
              f"{processor:.1f} s of processor time", flush=True)
    apart = max(float((a - b).abs().max() / a.abs().max()) for a, b in zip(theirs[0], ours[0], strict=True))
    print(f"{inversion}: {theirs[1] / ours[1]:.2f} times fewer evaluations, {theirs[3] / ours[3]:.2f} times the speed, "
          f"{theirs[4] / ours[4]:.2f} times less processor time; latents equal to {20 * np.log10(apart + 1e-12):.0f} dB "
          "of the peak", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stems", type=int, default=4, choices=range(1, len(WORDS) + 1))
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=3.0)
    given = parser.parse_args()
    studio = Studio(load("embedded", device="cpu"))  # where the noise is drawn
    samples = 0.1 * np.random.default_rng(0).normal(size=(1, round(given.seconds * studio.backbone.facts.sample_rate)))
    counted, clip = Counted(studio.backbone), Clip(samples, studio.backbone.facts.sample_rate)
    for inversion in ("ddpm", "ddim"):
        compare(inversion, WORDS[: given.stems], given.steps, clip, studio, counted)


if __name__ == "__main__":
    main()
