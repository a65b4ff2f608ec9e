# SPDX-License-Identifier: GPL-3.0-or-later
"""What does sharing save in a sweep? Five levels of a 200-step fuse, one by one and together, counted and timed.

    python benchmarks/fuse_sweep.py

Expected by arithmetic, guided lead (2 evaluations a step) and unguided rest: 1320 apart, 920 together.
"""

from __future__ import annotations

import time

import numpy as np

from server.audio import Clip
from server.measure.studio import Studio
from server.models.loading import load

AT_STEP = (180, 160, 140, 120, 80)


def main() -> None:
    studio = Studio(load("embedded"))
    rng = np.random.default_rng(0)
    clips = {role: Clip(0.1 * rng.normal(size=(1, 5 * 16000)), 16000) for role in ("original", "reference")}
    counted = 0
    denoise = studio.backbone.denoise

    def counting(x, level, conditionings):
        nonlocal counted
        counted += len(x)
        return denoise(x, level, conditionings)

    studio.backbone.denoise = counting
    asked = {"steps": 200, "reference": "prompt", "prompt": "bells", "seed": 0, "raw_level": True}
    studio("fuse", clips, **asked | {"steps": 4}, at_step=2)  # warm up
    figures, results = [], []
    for name, jobs in (("apart", [(t,) for t in AT_STEP]), ("together", [AT_STEP])):
        counted, started = 0, time.perf_counter()
        results.append([output.clip for job in jobs for output in studio("fuse", clips, **asked, at_step=job)])
        figures.append((name, counted, time.perf_counter() - started))
        print(f"{name:9} {counted:5} evaluations {figures[-1][2]:6.1f} s", flush=True)
    loudest = max(np.abs(a.samples).max() for a in results[0])
    difference = max(np.abs(a.samples - b.samples).max() for a, b in zip(*results, strict=True))
    print(f"ratio {figures[0][1] / figures[1][1]:.2f} in evaluations, {figures[0][2] / figures[1][2]:.2f} in time; "
          f"branches equal to {20 * np.log10(difference / loudest + 1e-12):.0f} dB")


if __name__ == "__main__":
    main()
