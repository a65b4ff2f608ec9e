# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a reference does learning recall?

    python benchmarks/learn_gap.py RECORDINGS [--clips 10] [--seconds 5] [--learn NAME=VALUE ...]

For each recording (one per label, drawn by seed): the distance to the reference of what its label alone generates, of
what the learned prompt recalls, and of the autoencoder's round trip, as mean absolute difference of log-mel frames in nat,
before the vocoder. The share of the gap between the first and the last that learning closes; aim 70 %. `null` is the same
for the null prompt, which leads the second phase of a fusion.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from in_process import Studio
from recordings import drawn

from server.kinds import parse_options
from server.methods import adapters
from server.methods.context import Context
from server.methods.fitting import fit
from server.methods.generate import sample
from server.models.mel import log_mel
from server.sampling.noise import KeyedNoise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--backbone", default="embedded")
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--learn", nargs="*", default=[], metavar="NAME=VALUE", help="options of learn")
    arguments = parser.parse_args()
    studio = Studio(arguments.backbone)
    backbone = studio.backbone
    quiet = Context("benchmark", {}, studio.palette, lambda name: backbone, lambda progress: None)
    given = dict(pair.split("=") for pair in arguments.learn)
    asked = parse_options("generate", {"guidance": 1})
    shares, seconds = [], []
    print(f"{'reference':28} {'prompt':>7} {'learned':>8} {'round trip':>11} {'closed':>7} {'null':>6} {'s':>6}")
    for recording in drawn(arguments.recordings, arguments.clips, seed=1):
        fitted = fit(recording.clip(arguments.seconds, backbone.facts.sample_rate), backbone, "the clip")
        padded = backbone.latent_shape(fitted.n_samples)[1] * backbone.samples_per_latent
        heard = log_mel(torch.nn.functional.pad(fitted.audio[:, 0], (0, padded - fitted.n_samples)), backbone.mel)

        @torch.no_grad()
        def distance(latents: torch.Tensor, heard: torch.Tensor = heard) -> float:
            return float((backbone.decode_mel(latents) - heard).abs().mean())

        def made(prompt: str, n_samples: int = fitted.n_samples) -> torch.Tensor:
            return sample(backbone, prompt, asked, n_samples, KeyedNoise(0), quiet)

        far = distance(made(recording.label))
        started = time.perf_counter()
        studio("learn", {"clip": fitted.source}, prompt=recording.label, name="entry", seed=0, **given)
        seconds.append(time.perf_counter() - started)
        with adapters.recalled_by_name(backbone, studio.palette, "entry"):
            near, null = distance(made(recording.label)), distance(made(""))
        with torch.no_grad():
            best = distance(backbone.encode(fitted.audio))
        shares.append([(far - d) / (far - best) for d in (near, null)])
        print(f"{recording.label[:28]:28} {far:7.2f} {near:8.2f} {best:11.2f} {shares[-1][0]:7.0%} {shares[-1][1]:6.0%} "
              f"{seconds[-1]:6.1f}", flush=True)
    closed = np.array(shares)[:, 0]
    print(f"closed: mean {closed.mean():.0%}, median {np.median(closed):.0%}, worst {closed.min():.0%}; "
          f"learning took {np.mean(seconds):.1f} s on average")


if __name__ == "__main__":
    main()
