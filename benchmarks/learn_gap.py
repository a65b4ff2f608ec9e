# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a reference does learning recall?

    python benchmarks/learn_gap.py RECORDINGS [--clips 10] [--seconds 5] [--learn-steps 300]

For each recording (one per label, drawn by seed): the distance to the reference of what its label alone generates, of
what the learned prompt recalls, and of the autoencoder's round trip, as mean absolute difference of log-mel images in dB
(40 bands, 70 dB range). The share of the gap between the first and the last that learning closes; aim 70 %.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from in_process import Studio
from recordings import drawn

from server.audio import Clip
from server.measure.timbre import log_mel
from server.methods.fitting import fit, unfit


def distance(a: Clip, b: Clip) -> float:
    """Mean absolute difference of the log-mel images, dB."""
    return float(np.abs(log_mel(a) - log_mel(b)).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--learn", nargs="*", default=[], metavar="NAME=VALUE", help="options of learn")
    arguments = parser.parse_args()
    studio = Studio()
    given = dict(pair.split("=") for pair in arguments.learn)
    shares, seconds = [], []
    print(f"{'reference':28} {'prompt':>7} {'learned':>8} {'round trip':>11} {'closed':>7} {'s':>6}")
    for recording in drawn(arguments.recordings, arguments.clips, seed=1):
        clip = recording.clip(arguments.seconds, studio.backbone.facts.sample_rate)
        plain = studio("generate", {}, prompt=recording.label, seconds=arguments.seconds, seed=0)[0].clip
        started = time.perf_counter()
        learned = studio("learn", {"clip": clip}, prompt=recording.label, name="entry", seed=0, **given)[1].clip
        seconds.append(time.perf_counter() - started)
        fitted = fit(clip, studio.backbone, "the clip")
        with torch.no_grad():
            back = studio.backbone.decode(studio.backbone.encode(fitted.audio), fitted.n_samples)
        far, near, best = (distance(c, clip) for c in (plain, learned, unfit(back, fitted, studio.backbone)))
        shares.append((far - near) / (far - best))
        print(f"{recording.label[:28]:28} {far:7.2f} {near:8.2f} {best:11.2f} {shares[-1]:7.0%} {seconds[-1]:6.1f}",
              flush=True)
    print(f"closed: mean {np.mean(shares):.0%}, median {np.median(shares):.0%}, worst {min(shares):.0%}; "
          f"learning took {np.mean(seconds):.1f} s on average")


if __name__ == "__main__":
    main()
