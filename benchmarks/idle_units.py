# SPDX-License-Identifier: GPL-3.0-or-later
"""What it saves to leave out the waveform model's idle units: `python benchmarks/idle_units.py`, seconds and ratios."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from diffusers import AutoencoderOobleck

from server.models.catalogue import WAVEFORM_FOLDER
from server.models.components import load_module
from server.models.idle_units import without_idle_units

SECONDS, REPEATS = 5.12, 3


def fastest(run: Callable[[], object]) -> float:
    """The shortest of a few runs, seconds."""
    found = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        run()
        found.append(time.perf_counter() - begun)
    return min(found)


@torch.no_grad()
def main() -> None:
    whole = load_module(AutoencoderOobleck, WAVEFORM_FOLDER, "vae")
    less = without_idle_units(load_module(AutoencoderOobleck, WAVEFORM_FOLDER, "vae"))
    audio = 0.1 * torch.randn(1, 2, round(SECONDS * whole.config.sampling_rate))
    latents = less.encode(audio).latent_dist.mode()
    for name, run in (("encode", lambda net: net.encode(audio)), ("decode", lambda net: net.decode(latents))):
        before, after = fastest(lambda run=run: run(whole)), fastest(lambda run=run: run(less))
        print(f"{name} {SECONDS} s: {before:.2f} s, without idle units {after:.2f} s, {before / after:.1f} times as fast")


if __name__ == "__main__":
    main()
