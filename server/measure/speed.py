# SPDX-License-Identifier: GPL-3.0-or-later
"""How long does a composer wait? Five-second jobs on this machine, each the median of a few runs after a warm-up."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import psutil
import torch

from server.audio import Clip
from server.measure.bench import Bench, Finding

SECONDS = 5.0
AIMS_S = {"generate": 10.0, "fuse": 20.0}
_NAMES = {"generate": "generate, 25 steps", "fuse": "fuse without learning", "fuse_stereo": "fuse, stereo",
          "sweep": "fuse, sweep of five"}


@dataclass(frozen=True)
class Plan:
    """How often each job runs, and which: names of `_NAMES`."""

    repeats: int = 3
    jobs: tuple[str, ...] = tuple(_NAMES)


def measure(bench: Bench, plan: Plan | None = None) -> dict:
    """Seconds and multiples of real time of every job; what it ran on.

    Raises:
        NotMeasured: the model does not render clips that long.
    """
    plan = plan or Plan()
    bench.need_seconds(SECONDS)
    original, stereo, reference = (_swell(channels, seed) for seed, channels in enumerate((1, 2, 1)))
    pair = {"original": original, "reference": reference}
    jobs: dict[str, tuple[str, Mapping[str, Clip], dict[str, Any]]] = {
        "generate": ("generate", {}, {"prompt": "wind", "seconds": SECONDS, "steps": 25}),
        "fuse": ("fuse", pair, {}),
        "fuse_stereo": ("fuse", pair | {"original": stereo}, {}),
        "sweep": ("fuse", pair, {"sweep": 5}),
    }
    bench.report(0, len(plan.jobs) * plan.repeats, "warming up")
    bench.studio("fuse", pair, steps=4, seed=0)
    found = {}
    for number, name in enumerate(plan.jobs):
        taken = []
        for repeat in range(plan.repeats):
            bench.report(number * plan.repeats + repeat, len(plan.jobs) * plan.repeats, _NAMES[name])
            kind, clips, options = jobs[name]
            started = time.perf_counter()
            bench.studio(kind, clips, seed=0, **options)
            taken.append(time.perf_counter() - started)
        middle = statistics.median(taken)
        found[name] = {"seconds": round(middle, 2), "of_real_time": round(middle / SECONDS, 3)}
    return {"jobs": found, "machine": _machine(bench), "plan": asdict(plan)}


def _swell(channels: int, seed: int) -> Clip:
    """Noise that swells and fades: what is in a clip does not change what a render costs."""
    n_samples = round(SECONDS * 44100)
    noise = np.random.default_rng(seed).normal(size=(channels, n_samples))
    return Clip(0.1 * noise * np.sin(np.linspace(0, np.pi, n_samples)), 44100)


def _machine(bench: Bench) -> dict:
    """What it ran on; `busy` is the load average of the last minute per core, where the system tells."""
    cores = os.cpu_count() or 1
    device = str(bench.backbone.device)
    if bench.backbone.device.type == "cuda":
        device = torch.cuda.get_device_name(bench.backbone.device)
    return {"device": device, "cores": cores, "threads": torch.get_num_threads(),
            "busy": round(psutil.getloadavg()[0] / cores, 2)}


def findings(figures: dict) -> list[Finding]:
    """One row of the table of aims for each job that has an aim."""
    machine, rows = figures["machine"], []
    where = f"{machine['cores']} cores, {machine['threads']} threads, load {machine['busy']:g} per core"
    where = where if machine["device"] == "cpu" else machine["device"]
    for name, limit in AIMS_S.items():
        if name in figures["jobs"]:
            took = figures["jobs"][name]["seconds"]
            rows.append(Finding(f"speed: 5 s {_NAMES[name]}", f"under {limit:g} s on 2 cores", f"{took:.1f} s ({where})",
                                took < limit))
    return rows


def lines(figures: dict) -> list[str]:
    """A table, one row per job."""
    return ["| job of 5 s | seconds | of real time |", "|---|---|---|",
            *(f"| {_NAMES[name]} | {one['seconds']:.1f} | {one['of_real_time']:.2f} |"
              for name, one in figures["jobs"].items())]
