# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips made from the example prompt of every class, as a person gets them from the job kind `generate`, kept on disk."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

from server.audio import Clip, read_clip, write_clip
from server.measure.bench import Bench
from server.measure.probes import model_key
from server.measure.prompts import prompt_of


@dataclass(frozen=True)
class Plan:
    """`clips` of `seconds` per prompt, by `steps` of the sampler; everything else as `generate` does by itself."""

    clips: int = 4
    seconds: float = 5.0
    steps: int = 25


def generated(bench: Bench, names: list[str], plan: Plan) -> dict[str, list[Clip]]:
    """Class to its clips, each class from a seed of its own, so that a class sounds the same whatever else is asked.

    Raises:
        NotMeasured: the model does not render clips that long.
    """
    bench.need_seconds(plan.seconds)
    folder = bench.folder / f"generated-{model_key(bench.backbone)}"
    folder.mkdir(exist_ok=True)
    made = {}
    for number, name in enumerate(names):
        bench.report(number, len(names), prompt_of(name))
        said = f"{prompt_of(name)} {asdict(plan)} {bench.seed}"
        stem = f"{name.replace(' ', '_')}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"
        paths = [folder / f"{stem}-{k}.wav" for k in range(plan.clips)]
        if not all(path.exists() for path in paths):
            outputs = bench.studio("generate", {}, prompt=prompt_of(name), seconds=plan.seconds, steps=plan.steps,
                                   variations=plan.clips, seed=seed_of(bench.seed, name))
            for path, output in zip(paths, outputs, strict=True):
                assert output.clip is not None
                write_clip(path, output.clip)
        made[name] = [read_clip(path) for path in paths]
    return made


def seed_of(seed: int, name: str) -> int:
    """The seed of a class's clips."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:4], "big") >> 1
