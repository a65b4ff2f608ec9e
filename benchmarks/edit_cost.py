# SPDX-License-Identifier: GPL-3.0-or-later
"""What does an edit cost? The published order of network calls as a plain loop, against ours, on the same weights.

    python benchmarks/edit_cost.py [--steps 200] [--targets 1 4] [--seconds 2] [--backbone embedded]

The published loop inverts all steps, one by one, for each target anew, and evaluates the null prompt and the prompt in two
calls; half of the steps are then run back. By arithmetic, with a source prompt: 3 N evaluations a target there, N + N a
target of which the first N are shared here, so 1.5 times for one target and 2.4 for four. Wall and processor time are
printed: on a busy machine only the second is the program's own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip
from server.measure.studio import Studio
from server.methods.fitting import fit
from server.models.base import Backbone
from server.models.loading import load
from server.sampling.levels import Level
from server.sampling.noise import KeyedNoise
from server.sampling.step import coefficients

SOURCE, TARGETS = "drum hits", ("a grand piano", "church bell tolling", "a harp", "wind")
GUIDANCE_SOURCE, GUIDANCE_TARGET, SEED = 3.0, 12.0, 7


def published(backbone: Backbone, clip: Clip, target: str, steps: int) -> Tensor:
    """Latents of one target, by the order of calls of the published code."""
    fitted = fit(clip, backbone, "the clip")
    levels, x0 = backbone.levels(steps, "model"), backbone.encode(fitted.audio)
    null, source, wanted = (backbone.condition(prompt, clip.duration_s) for prompt in (None, SOURCE, target))
    draw = KeyedNoise(SEED).stream("edit-friendly")
    shape = tuple(x0.shape[1:])

    def state(i: int) -> Tensor:
        return x0 if i == steps else levels.alpha[i].item() * x0 + levels.sigma[i].item() * draw(i, shape)

    def guided(x: Tensor, level: Level, prompt: object, weight: float) -> Tensor:
        without = backbone.denoise(x, level, [null])
        return without + weight * (backbone.denoise(x, level, [prompt]) - without)

    z = {}
    for i in range(steps):
        step, level = coefficients(levels, i, "sde"), levels.at(i)
        x0hat = guided(state(i), level, source, GUIDANCE_SOURCE)
        z[i] = (state(i + 1) - step.A * state(i) - step.B * x0hat) / step.S if step.S else torch.zeros_like(x0)
    z[steps - 1] = torch.zeros_like(x0)
    x = state(steps - steps // 2)
    for i in range(steps - steps // 2, steps):
        step = coefficients(levels, i, "sde")
        x = step.A * x + step.B * guided(x, levels.at(i), wanted, GUIDANCE_TARGET) + step.S * z[i]
    return x


class Counting:
    """Counts the rows that the network is given, and keeps the latents that are decoded."""

    def __init__(self, backbone: Backbone) -> None:
        self.rows, self.latents = 0, []
        self._denoise, self._decode = backbone.denoise, backbone.decode
        backbone.denoise, backbone.decode = self.denoise, self.decode  # type: ignore[method-assign]

    def denoise(self, x: Tensor, level: Level, conditionings: list) -> Tensor:
        self.rows += len(x)
        return self._denoise(x, level, conditionings)

    def decode(self, latents: Tensor, n_samples: int) -> Tensor:
        self.latents.append(latents)
        return self._decode(latents, n_samples)


def one_by_one(backbone: Backbone, clip: Clip, targets: Sequence[str], steps: int, counting: Counting) -> None:
    """Every target by the published order of calls, decoded as ours are."""
    for target in targets:
        counting.decode(published(backbone, clip, target, steps), clip.n_samples)


def timed(work: Callable[[], object], counting: Counting) -> tuple[int, float, float]:
    """Evaluations, wall seconds and processor seconds of `work`."""
    counting.rows = 0
    wall, processor = time.perf_counter(), time.process_time()
    with torch.no_grad():
        work()
    return counting.rows, time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--targets", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--backbone", default="embedded")
    given = parser.parse_args()
    backbone = load(given.backbone, device="cpu")  # where the noise is drawn
    rate = backbone.facts.sample_rate
    clip = Clip(0.1 * np.random.default_rng(0).normal(size=(1, round(given.seconds * rate))), rate)
    counting = Counting(backbone)
    start_db = float(backbone.levels(given.steps, "model").snr_db[given.steps - given.steps // 2])
    with torch.no_grad():
        published(backbone, clip, TARGETS[0], 2)  # warm up
    for n_targets in given.targets:
        counting.latents.clear()
        targets = TARGETS[:n_targets]
        theirs = timed(partial(one_by_one, backbone, clip, targets, given.steps, counting), counting)
        reference = counting.latents.copy()
        counting.latents.clear()
        with Studio(backbone) as studio:
            ours = timed(partial(studio, "edit", {"clip": clip}, to=targets, snr_db=start_db, steps=given.steps, seed=SEED,
                                 schedule="model", keep_last=False, guidance_source=GUIDANCE_SOURCE,
                                 guidance_target=GUIDANCE_TARGET, **{"from": SOURCE}), counting)
        worst = max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(counting.latents, reference, strict=True))
        for name, (rows, wall, processor) in (("published", theirs), ("ours", ours)):
            print(f"{n_targets} target(s) {name:9} {rows:5} evaluations {wall:7.1f} s wall {processor:7.1f} s processor")
        print(f"  ratio {theirs[0] / ours[0]:.2f} in evaluations, {theirs[1] / ours[1]:.2f} in wall time, "
              f"{theirs[2] / ours[2]:.2f} in processor time; latents differ by {20 * np.log10(worst + 1e-12):.0f} dB",
              flush=True)


if __name__ == "__main__":
    main()
