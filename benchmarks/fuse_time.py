# SPDX-License-Identifier: GPL-3.0-or-later
"""How long does a composer wait? A 5 s stereo and mono fuse at 50 steps, a generate, and what learning costs.

    python benchmarks/fuse_time.py [--backbone NAME] [--threads N]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from in_process import Studio

from server.audio import Clip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="embedded")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    started = time.perf_counter()
    studio = Studio(arguments.backbone)
    print(f"{'load':32} {time.perf_counter() - started:6.1f} s  ({arguments.threads} threads, {studio.backbone.device})")
    rng = np.random.default_rng(0)
    swell = np.sin(np.linspace(0, np.pi, 5 * 44100))
    mono, stereo, reference = (Clip(0.1 * rng.normal(size=(c, 5 * 44100)) * swell, 44100) for c in (1, 2, 1))
    studio("fuse", {"original": mono, "reference": reference}, steps=4)  # warm up
    learn = {"reference": "learn", "prompt": "hiss", "adapter": "hiss"}
    jobs = (
        ("fuse, mono, by inversion", "fuse", {"original": mono, "reference": reference}, {}),
        ("fuse, stereo, by inversion", "fuse", {"original": stereo, "reference": reference}, {}),
        ("fuse, mono, sweep of 5", "fuse", {"original": mono, "reference": reference}, {"sweep": 5}),
        ("generate 5 s, 25 steps", "generate", {}, {"prompt": "hiss", "steps": 25}),
        ("learn, 400 steps of 8", "learn", {"clip": reference}, {"prompt": "hiss", "name": "hiss"}),
        ("fuse, mono, learned", "fuse", {"original": mono, "reference": reference}, learn),
    )
    for name, kind, clips, options in jobs:
        started = time.perf_counter()
        studio(kind, clips, seed=0, **options)
        print(f"{name:32} {time.perf_counter() - started:6.1f} s", flush=True)


if __name__ == "__main__":
    main()
