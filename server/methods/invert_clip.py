# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip's inversion, kept for the next job on the same clip.

What an inversion is made of (the latents and the network's answers) depends neither on the prompts that it is edited with
nor on the order of the sampler, and one from a noisy level holds every shorter one. So the cache's key leaves those out: a
second edit with other words costs no evaluation, a stronger one the levels that are missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from server.methods.context import Context
from server.methods.count import Counter
from server.methods.fitting import Fitted
from server.models.base import Backbone, Schedule
from server.sampling.ddim_invert import ddim_invert
from server.sampling.guide import guided
from server.sampling.invert import Trajectory, edit_friendly
from server.sampling.levels import Level, Levels
from server.sampling.noise import KeyedNoise
from server.sampling.solve import Denoise, StepEvent

_ACTIVATIONS = 400
"""Bytes that the network's activations take per byte of latents; the embedded model's UNet takes 340."""
_CPU_BUDGET_BYTES = 2**30
_MOST_ROWS = 32


@dataclass(frozen=True)
class Inversion:
    """Which inversion of a clip: all that it depends on, but for its first level.

    prompt: what the clip is, in words; "" is the null prompt. guidance: the weight of that prompt.
    """

    n_steps: int
    schedule: Schedule
    seed: int
    prompt: str = ""
    guidance: float = 1.0


def clip_seed(asked: int | None, digest: str) -> int:
    """The seed asked for, else one of the clip's own, so that every job on this clip shares its inversion."""
    return asked if asked is not None else int.from_bytes(hashlib.sha256(digest.encode()).digest()[:4], "big") >> 1


def prompted(backbone: Backbone, prompts: Sequence[str], clip: Fitted, weight: float) -> tuple[Denoise, int]:
    """The guided network for all items of `clip` under every prompt, [prompts * items, ...], and its cost.

    An empty prompt is the null prompt, unguided. The cost is that of one call, in evaluations per item.
    """
    seconds = clip.source.duration_s
    null = backbone.condition(None, seconds)
    rows = [(backbone.condition(p, seconds), weight) if p else (null, 0.0) for p in prompts for _ in range(clip.items)]
    denoise = guided(backbone, [row[0] for row in rows], [null] * len(rows), [row[1] for row in rows])
    return denoise, sum(2 if p and weight not in (0.0, 1.0) else 1 for p in prompts)


def rows_at_once(latents: Tensor) -> int:
    """How many rows like those of `latents` [items, ...] the network may be given at once, 1 to 32, so that its activations
    stay within half of what the device has free (CUDA) or within 1 GiB (CPU, and Metal, which shares the CPU's memory)."""
    free = _CPU_BUDGET_BYTES
    if latents.device.type == "cuda":
        free = torch.cuda.mem_get_info(latents.device)[0] // 2
    return max(1, min(_MOST_ROWS, free // (latents[0].nbytes * _ACTIVATIONS)))


@torch.no_grad()
def invert_clip(clip: Fitted, backbone: Backbone, asked: Inversion, start: int, context: Context, count: Counter, *,
                role: str = "clip") -> Trajectory:
    """The edit-friendly inversion from level `start` to the end of the schedule, on the backbone's device.

    Args:
        clip: the fitted input of role `role`, whose digest stands for it in the cache.
        count: told of every evaluation that is really made ("inverting").
    """
    key = _key("edit-friendly", clip, backbone, asked, context.digests[role])
    kept: Trajectory | None = context.cache.get(key)
    if kept is not None and kept.start <= start:
        return kept.to(backbone.device).since(start)
    levels = backbone.levels(asked.n_steps, asked.schedule)
    if kept is None:
        count("encoding", 0)
        x0, stop = backbone.encode(clip.audio), levels.n_steps
    else:
        x0, stop = kept.x[-1].to(backbone.device), kept.start
    made = _inverted(x0, clip, backbone, asked, levels, range(start, stop), count)
    whole = made if kept is None else kept.to(backbone.device).after(made)
    context.cache.put(key, whole.to("cpu"), whole.n_bytes)
    return whole


def _inverted(x0: Tensor, clip: Fitted, backbone: Backbone, asked: Inversion, levels: Levels, steps: range,
              count: Counter) -> Trajectory:
    denoise, cost = prompted(backbone, [asked.prompt], clip, asked.guidance)
    batch = max(1, rows_at_once(x0) // (cost * clip.items))

    def on_step(event: StepEvent) -> None:
        count("inverting", cost * min(batch, steps.stop - event.step))

    noise = KeyedNoise(asked.seed, [0] * clip.items)
    return edit_friendly(x0, denoise, levels, steps, noise, batch=batch, on_step=on_step)


@torch.no_grad()
def ddim_invert_clip(clip: Fitted, backbone: Backbone, asked: Inversion, start: int, context: Context, count: Counter, *,
                     role: str = "clip") -> Tensor:
    """The states of the DDIM inversion at the levels from `start` to the end, [levels, items, ...], the latents last."""
    key = _key(f"ddim to {start}", clip, backbone, asked, context.digests[role])
    kept: Tensor | None = context.cache.get(key)
    if kept is not None:
        return kept.to(backbone.device)
    count("encoding", 0)
    x0 = backbone.encode(clip.audio)
    denoise, cost = prompted(backbone, [asked.prompt], clip, asked.guidance)
    states: list[Tensor] = []

    def recording(x: Tensor, level: Level) -> Tensor:
        states.append(x)
        return denoise(x, level)

    levels = backbone.levels(asked.n_steps, asked.schedule)
    noisiest = ddim_invert(x0, recording, levels, until=start, on_step=lambda event: count("inverting", cost)).x
    whole = torch.stack([noisiest, *reversed(states)])
    context.cache.put(key, whole.to("cpu"), whole.nbytes)
    return whole


def _key(method: str, clip: Fitted, backbone: Backbone, asked: Inversion, digest: str) -> str:
    said = [method, digest, backbone.facts.name, backbone.facts.revision, str(backbone.dtype), str(backbone.device),
            clip.n_samples, list(backbone.latent_shape(clip.n_samples)), asdict(asked)]
    return f"inversion {hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()}"
