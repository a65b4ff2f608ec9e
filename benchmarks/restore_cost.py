# SPDX-License-Identifier: GPL-3.0-or-later
"""What does a restoration cost? The published sequence of calls beside ours, on the same weights, counted and timed.

    python benchmarks/restore_cost.py [--steps 20] [--seconds 3] [--backbone embedded]

DiffMusic's public code takes 500 DDIM steps from noise and evaluates the network twice in each, under guidance, with the
null prompt in both halves: what comes out is the unguided estimate. Every step also decodes, measures and
differentiates, which is most of the wall time; `--steps` shortens both walks alike, 500 is the paper's. Aim: half the
evaluations, the same latents. The last rows are how a job here runs by itself: a draft of the decoder for the gradient,
and a start from the clip's own latents.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip
from server.kinds import parse_options
from server.measure.studio import Studio
from server.methods.repair import Repair, prepare, sample
from server.models.base import Backbone
from server.models.loading import load
from server.sampling.posterior import Pull, loss_and_gradient, room_at

GUIDANCE = 3.5  # the pipelines' default, which the public code never changes
GAP = "1:1.5"


@dataclass
class Meter:
    """Evaluations of one item, and seconds by part."""

    evaluations: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: {"network": 0.0, "decoder": 0.0})

    def timed(self, part: str, call: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def measured(x: Tensor, *rest: object) -> Tensor:
            started = time.perf_counter()
            answer = call(x, *rest)
            self.seconds[part] += time.perf_counter() - started
            self.evaluations += len(x) if part == "network" else 0
            return answer

        return measured


@contextmanager
def metered(backbone: Backbone, draft: bool) -> Iterator[Meter]:
    """Counts and times what `backbone` does; without `draft`, guided steps differentiate the whole decoder."""
    meter, denoise, rough = Meter(), backbone.denoise, backbone.decode_draft
    backbone.denoise = meter.timed("network", denoise)
    backbone.decode_draft = meter.timed("decoder", rough if draft else backbone.decode)
    try:
        yield meter
    finally:
        backbone.denoise, backbone.decode_draft = denoise, rough


def published(repair: Repair) -> Tensor:
    """The public code's loop, with our step size and measurement: null prompt twice in every step, DDIM, eta 0."""
    backbone, shown, options = repair.backbone, repair.shown, repair.options
    levels = backbone.levels(options.steps, options.schedule)
    null = backbone.condition(None, repair.clip.duration_s)
    x = repair.noise.initial(backbone.latent_shape(shown.n_samples)).to(backbone.device)
    pull = Pull(repair.recipe.rate, radius=repair.recipe.radius)
    for i in range(levels.n_steps):
        with torch.no_grad():
            unconditional, conditional = backbone.denoise(torch.cat([x, x]), levels.at(i), [null, null]).chunk(2)
            x0 = unconditional + GUIDANCE * (conditional - unconditional)
        loss, gradient = loss_and_gradient(
            lambda z: repair.measured.loss(backbone.decode_draft(z, shown.n_samples)), x0)
        x0 = x0 - pull.along(gradient, loss, room_at(levels.at(i)))
        e = (x - float(levels.alpha[i]) * x0) / float(levels.sigma[i])
        x = float(levels.alpha[i + 1]) * x0 + float(levels.sigma[i + 1]) * e
    return x


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--backbone", default="embedded")
    asked = parser.parse_args()
    backbone = load(asked.backbone)
    rng = np.random.default_rng(0)
    rate = backbone.facts.sample_rate
    clip = Clip(0.1 * rng.normal(size=(1, round(asked.seconds * rate))), rate)

    def repair(task: str, **options: object) -> Repair:
        given = {"task": task, "steps": asked.steps, "seed": 0} | options
        parsed = parse_options("restore", given, frozenset({"clip"}))
        return prepare({"clip": clip}, parsed, Studio(backbone).context({"clip": clip}))

    as_paper = {"begin": "noise", "schedule": "model"}
    rows = [("published sequence", False, published, repair("denoise", **as_paper)),
            ("ours, the same walk", False, lambda r: sample(r, []), repair("denoise", **as_paper)),
            ("ours, draft decoder", True, lambda r: sample(r, []), repair("denoise", **as_paper)),
            ("ours, denoise as it comes", True, lambda r: sample(r, []), repair("denoise")),
            ("ours, inpaint as it comes", True, lambda r: sample(r, []), repair("inpaint", gap=GAP))]
    # The decoder's gradient amplifies rounding (a batch of two rounds otherwise than one): guided walks drift apart in a
    # few steps. So the sequences are compared unguided, and guided over two steps.
    for name, options in (("unguided", {"rate": 0}), ("guided, two steps", {"steps": 2})):
        job = repair("denoise", **as_paper | options)
        theirs, ours = published(job), sample(job, [])
        difference = float((theirs - ours).abs().max() / theirs.abs().max())
        print(f"{name}: latents equal to {20 * np.log10(difference + 1e-12):.0f} dB", flush=True)
    for name, draft, walk, job in rows:
        with metered(backbone, draft) as meter:
            started = time.perf_counter()
            walk(job)
            total = time.perf_counter() - started
        parts = meter.seconds
        rest = total - sum(parts.values())
        print(f"{name:26} {meter.evaluations:5} evaluations {total:7.1f} s: network {parts['network']:.1f}, decoder and "
              f"vocoder forward {parts['decoder']:.1f}, the way back and the rest {rest:.1f}", flush=True)


if __name__ == "__main__":
    main()
