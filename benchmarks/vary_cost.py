# SPDX-License-Identifier: GPL-3.0-or-later
"""What does it cost to vary a clip? The published sequence of network calls beside ours, on the same weights.

    python benchmarks/vary_cost.py [--steps 40] [--seconds 2] [--prompt TEXT] [--rounds 50]

The published code (AudioEditingCode, directions per step) inverts all steps one by one, runs a full reverse pass in which
it looks for the directions of each step of the range in turn (50 rounds of subspace iteration by a difference of 1e-3, for
each component a call with the prompt and one without, though both prompts be the same), and a full reverse pass again to
apply one. By arithmetic, N steps, R of them in the range, 3 components: N (2 N with a prompt) + 2 N + 300 R + 2 N. Ours
inverts what runs, all levels together, takes exact products that count as two evaluations each, stops a level when its
subspace has settled, and applies from the range on. What both find is compared: the part of each subspace that lies in the
other's, eigenvalues, and the varied latents.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import presets
from server.audio import Clip, read_clip, resample, to_length
from server.kinds import parse_options
from server.measure.studio import Studio
from server.methods.count import Counter
from server.methods.find_directions import find, moved_levels, search
from server.methods.fitting import fit
from server.methods.invert_clip import Inversion, invert_clip
from server.methods.vary import Move, Vary
from server.models.loading import load
from server.sampling.noise import KeyedNoise
from server.sampling.step import coefficients

N, GAMMA, GUIDANCE, C = 3, 2.0, 3.0, 1e-3
RANGE_DB = (-9.0, 0.0)


@dataclass(frozen=True)
class Found:
    """Vectors [levels, 3, numbers] and eigenvalues [levels, 3] of the range, and the latents moved along the first."""

    vectors: Tensor
    eigenvalues: Tensor
    latents: Tensor
    evaluations: int


class Published:
    """The published loop, call by call, on the noise that ours draws."""

    def __init__(self, vary: Vary, rounds: int) -> None:
        self.vary, self.rounds, self.levels = vary, rounds, vary.levels
        seconds = vary.clip.source.duration_s
        self.null = vary.backbone.condition(None, seconds)
        self.words = vary.backbone.condition(vary.options.prompt, seconds) if vary.options.prompt else self.null
        self.evaluations = 0

    def call(self, x: Tensor, i: int, conditioning) -> Tensor:
        self.evaluations += 1
        return self.vary.backbone.denoise(x, self.levels.at(i), [conditioning])

    def both(self, x: Tensor, i: int) -> Tensor:
        without, with_words = self.call(x, i, self.null), self.call(x, i, self.words)
        return without + GUIDANCE * (with_words - without)

    @torch.no_grad()
    def run(self, x0: Tensor, seed: int, moved: tuple[int, ...]) -> Found:
        n, noise = self.levels.n_steps, KeyedNoise(seed).stream("edit-friendly")
        factors = [(float(self.levels.alpha[i]), float(self.levels.sigma[i])) for i in range(n)]
        states = [a * x0 + s * noise(i, x0.shape[1:]) for i, (a, s) in enumerate(factors)] + [x0]
        left = []
        for i in range(n):
            step = coefficients(self.levels, i, "sde")
            x0hat = self.both(states[i], i) if self.vary.options.prompt else self.call(states[i], i, self.null)
            left.append(states[i + 1] - step.A * states[i] - step.B * x0hat)
        vectors, eigenvalues = self.search(states[0], left, moved)
        x = states[0]
        for i in range(n):
            step, x0hat = coefficients(self.levels, i, "sde"), self.both(x, i)
            if i in moved:
                place = moved.index(i)
                x0hat = x0hat + GAMMA * eigenvalues[place, 0].sqrt() * vectors[place, 0].reshape(x0.shape)
            x = step.A * x + step.B * x0hat + left[i]
        return Found(vectors, eigenvalues, x, self.evaluations)

    def search(self, x: Tensor, left: list[Tensor], moved: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        vectors, eigenvalues = [], []
        for i in range(self.levels.n_steps):
            step, x0hat = coefficients(self.levels, i, "sde"), self.both(x, i)
            if i in moved:
                v, values = self.components(x, x0hat, i)
                if vectors:
                    v = v * torch.where((v * vectors[-1]).sum(dim=1, keepdim=True) < -0.8, -1.0, 1.0)
                vectors.append(v)
                eigenvalues.append(values)
            x = step.A * x + step.B * x0hat + left[i]
        return torch.stack(vectors), torch.stack(eigenvalues)

    def components(self, x: Tensor, x0hat: Tensor, i: int) -> tuple[Tensor, Tensor]:
        alpha, sigma = float(self.levels.alpha[i]), float(self.levels.sigma[i])
        v = torch.linalg.qr(torch.randn(x.numel(), N, generator=torch.Generator().manual_seed(i)))[0].T
        for _ in range(self.rounds):
            shifted = [self.both(x + C * alpha * one.reshape(x.shape), i) - x0hat for one in v]
            products = torch.stack([one.flatten() for one in shifted])
            v = torch.linalg.qr(products.T)[0].T
        values, order = (products.norm(dim=1) / C * (sigma / alpha) ** 2).sort(descending=True)
        return v[order], values  # matched here: the published code sorts the one and leaves the other


def ours(vary: Vary, studio: Studio, seed: int) -> Found:
    """What `vary --per-step` does for the first direction."""
    clip, options = vary.clip, vary.options
    context = studio.context({"clip": clip.source})
    vary = Vary(vary.backbone, options, vary.levels, clip, (), Counter(context))
    moved = moved_levels(RANGE_DB, vary.levels)
    asked = Inversion(options.steps, options.schedule, seed, options.prompt, options.guidance)
    trajectory = invert_clip(clip, vary.backbone, asked, moved[0], context, vary.count)
    found = find(search(options, vary.levels, N, None, None), vary.backbone, clip, trajectory, options, seed, vary.count)
    print(f"rounds of each level: {found.card['iterations']}")
    latents = vary.latents([Move("first", (GAMMA, 0.0, 0.0))], found, trajectory, moved)
    return Found(found.vectors.flatten(2), found.curve, latents, vary.count.done)


def compare(theirs: Found, mine: Found, x0: Tensor) -> str:
    """How much of each subspace lies in the other's; how far eigenvalues and latents are apart."""
    overlap = torch.stack([(a @ b.T).square().sum() / N for a, b in zip(theirs.vectors, mine.vectors, strict=True)])
    values = (mine.eigenvalues.log() - theirs.eigenvalues.log()).abs().exp() - 1.0
    sign = -1.0 if float(((theirs.latents - x0) * (mine.latents - x0)).sum()) < 0 else 1.0
    moves = [(one - x0).norm() / x0.norm() for one in (theirs.latents, mine.latents)]
    cosine = sign * torch.cosine_similarity((theirs.latents - x0).flatten(), (mine.latents - x0).flatten(), dim=0)
    return (f"subspaces share {float(overlap.mean()):.0%} (worst level {float(overlap.min()):.0%}); eigenvalues differ by "
            f"{float(values.mean()):.1%}; latents moved by {moves[0]:.3f} and {moves[1]:.3f}, cosine {cosine:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--prompt", default="")
    parser.add_argument("--rounds", type=int, default=50)
    given = parser.parse_args()
    with Studio(load("embedded", device="cpu")) as studio:  # where the noise is drawn
        backbone = studio.backbone
        clip = resample(read_clip(Path(presets.__file__).parent / "clips" / "bowed_drone.flac"), backbone.facts.sample_rate)
        clip = to_length(Clip(clip.samples[:1], clip.sample_rate), round(given.seconds * clip.sample_rate))
        options = parse_options("vary", {"steps": given.steps, "prompt": given.prompt, "per_step": True, "range": RANGE_DB,
                                         "guidance": GUIDANCE})
        fitted, levels = fit(clip, backbone, "the clip"), backbone.levels(given.steps, "even")
        vary = Vary(backbone, options, levels, fitted, (), Counter(studio.context()))
        with torch.no_grad():
            x0 = backbone.encode(fitted.audio)
        took = []
        for name, work in (("published", lambda: Published(vary, given.rounds).run(x0, 0, moved_levels(RANGE_DB, levels))),
                           ("ours", lambda: ours(vary, studio, 0))):
            wall, processor = time.perf_counter(), time.process_time()
            found = work()
            took.append((found, time.perf_counter() - wall, time.process_time() - processor))
            print(f"{name:10} {found.evaluations:5} evaluations {took[-1][1]:7.1f} s, {took[-1][2]:.1f} s of processor "
                  "time", flush=True)
    theirs, mine = took
    print(f"{theirs[0].evaluations / mine[0].evaluations:.2f} times fewer evaluations, {theirs[1] / mine[1]:.2f} times the "
          f"speed, {theirs[2] / mine[2]:.2f} times less processor time")
    print(compare(theirs[0], mine[0], x0))


if __name__ == "__main__":
    main()
