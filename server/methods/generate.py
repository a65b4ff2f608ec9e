# SPDX-License-Identifier: GPL-3.0-or-later
"""generate: a prompt becomes sound."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from server.audio import Clip, to_peak
from server.kinds.generate import GenerateOptions
from server.methods import adapters
from server.methods.context import Context, Output, Progress
from server.methods.provenance import provenance
from server.models.base import Backbone
from server.sampling.guide import guided
from server.sampling.noise import KeyedNoise
from server.sampling.ping_pong import ping_pong
from server.sampling.solve import State, solve

PEAK_DBTP = -3.0
"""A model's own level says little: the embedded one peaks between 0.07 and 2.3."""


def run(clips: Mapping[str, Clip], options: GenerateOptions, context: Context) -> list[Output]:
    """`variations` sounds of `seconds`, at the model's rate, stereo where it can make it.

    Raises:
        InvalidInput, ModelUnavailable: there is no such palette entry, or it belongs to another backbone.
    """
    backbone = context.backbone(options.backbone)
    facts = backbone.facts
    seed = context.seed(options.seed)
    n_samples = round(options.seconds * facts.sample_rate)
    noise = KeyedNoise(seed, range(options.variations))
    with adapters.recalled_by_name(backbone, context.palette_dir, options.adapter):
        latents = sample(backbone, options.prompt, options, n_samples, noise, context)
    context.on_step(Progress(options.steps, options.steps, "decoding"))
    with torch.no_grad():
        audio = backbone.decode_stereo(latents, n_samples).float().cpu().numpy()
    made = provenance(backbone, options, seed)
    clips = [Clip(samples, facts.sample_rate) for samples in audio]
    if not options.raw_level:
        clips = [to_peak(clip, PEAK_DBTP) for clip in clips]
    return [Output("generated", f"generated_{i}", clip, provenance=made | {"variation": i})
            for i, clip in enumerate(clips, 1)]


def sample(backbone: Backbone, prompt: str, options: GenerateOptions, n_samples: int, noise: KeyedNoise,
           context: Context) -> torch.Tensor:
    """Latents [items, ...] sampled from noise with `prompt`; an empty one is the null prompt, unguided.

    A distilled model is sampled in its own way, and solver, order and form play no part.
    """
    duration_s = n_samples / backbone.facts.sample_rate
    items = len(noise.items)
    null = [backbone.condition(None, duration_s)] * items
    conditional = [backbone.condition(prompt, duration_s)] * items if prompt else null
    weight = backbone.facts.guidance if options.guidance is None else options.guidance
    denoise = guided(backbone, conditional, null, weight if prompt else 0.0)
    start = State(noise.initial(backbone.latent_shape(n_samples)).to(backbone.device))
    levels = backbone.levels(options.steps, options.schedule)
    shown = {"phase": "sampling",
             "on_step": lambda event: context.on_step(Progress(event.step, event.n_steps, event.phase))}
    if backbone.facts.sampler == "ping_pong":
        return ping_pong(denoise, start, levels, noise=noise, **shown).x
    return solve(denoise, start, levels, noise=noise, solver=options.solver, order=options.order, form=options.form,
                 **shown).x
