# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory does one guided step of a restoration take with Stable Audio Open? Real sizes, random weights.

    python benchmarks/restore_memory.py [--seconds 10] [--network float32|bfloat16|none] [--algorithm irs|dps|dsg]

One step of `restore --task denoise` on a stereo clip at 44.1 kHz, by the job's own code: encoding, the network, decoding
and the way back through the decoder (dps and dsg: through the network too), decoding the result. Autoencoder and
transformer have the published configuration, which is diffusers' default (624 MB and 4.2 GB in float32; the text encoder,
of which nothing is differentiated, is a tiny one). `none` leaves a transformer of one layer: what the autoencoder takes
alone. After each part it prints the most memory that the process has had so far, all libraries included, and it fails
above 8 GB.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from server.audio import Clip
from server.kinds import parse_options
from server.measure.studio import Studio
from server.methods.repair import prepare, sample, sounds
from server.models import tiny
from server.models.components import building, diffusers
from server.models.loading import load
from server.models.stable_audio import StableAudio

LIMIT_GB = 8.0
T = TypeVar("T")


def stable_audio(network: str, text_width: int = tiny.TEXT_WIDTH) -> StableAudio:
    """Stable Audio Open at its real size with random weights; `network`: the transformer's precision, or none."""
    with tempfile.TemporaryDirectory() as folder:
        backbone = load(str(tiny.build("stable_audio", Path(folder) / "tiny")), device="cpu", window="full")
    assert isinstance(backbone, StableAudio)
    dtype = torch.float32 if network == "none" else getattr(torch, network)
    torch.set_default_dtype(dtype)
    with building():
        transformer = diffusers.StableAudioDiTModel(
            num_layers=1 if network == "none" else 24, cross_attention_dim=text_width, cross_attention_input_dim=text_width,
            global_states_input_dim=2 * text_width)
        torch.set_default_dtype(torch.float32)
        backbone.vae = diffusers.AutoencoderOobleck().eval().requires_grad_(False)
    backbone.network, backbone.dtype = transformer.eval().requires_grad_(False), dtype
    rate, hop = backbone.vae.config.sampling_rate, backbone.vae.hop_length
    backbone.facts = replace(backbone.facts, sample_rate=rate, channels=backbone.vae.config.audio_channels,
                             latent_hz=rate / hop, max_s=transformer.config.sample_size * hop / rate)
    return backbone


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--network", choices=("float32", "bfloat16", "none"), default="bfloat16")
    parser.add_argument("--algorithm", choices=("irs", "dps", "dsg"), default="irs")
    asked = parser.parse_args()
    told("libraries", lambda: None)
    backbone = told("weights", lambda: stable_audio(asked.network))
    rate = backbone.facts.sample_rate
    clip = Clip(0.1 * np.random.default_rng(0).normal(size=(2, round(asked.seconds * rate))), rate)
    options = parse_options("restore", {"task": "denoise", "algorithm": asked.algorithm, "steps": 2, "seed": 0},
                            frozenset({"clip"}))
    repair = prepare({"clip": clip}, options, Studio(backbone).context({"clip": clip}))
    told("encoding", lambda: backbone.encode(repair.shown.audio))
    latents = told("one guided step", lambda: sample(repair, []))
    told("decoding", lambda: sounds(repair, latents))
    if peak_gb() > LIMIT_GB:
        sys.exit(f"More than {LIMIT_GB:g} GB.")


def told(part: str, do: Callable[[], T]) -> T:
    """What `do` gives; prints how long it took and the most memory so far."""
    started = time.perf_counter()
    made = do()
    print(f"{part:16} {time.perf_counter() - started:6.1f} s, at most {peak_gb():5.2f} GB so far", flush=True)
    return made


def peak_gb() -> float:
    """The most memory that this process has had, in 1e9 bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


if __name__ == "__main__":
    main()
