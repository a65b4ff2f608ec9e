# SPDX-License-Identifier: GPL-3.0-or-later
"""edit: other words lead the clip's own noise (Manor and Michaeli, arXiv:2402.10009, section 3.2).

The clip is inverted from the level where the edit begins, under the words that it is described with, and sampled again from
there under the target's words with the noise that the inversion found. All targets go through the network in one batch. For
comparison on the same interface: `sdedit` keeps nothing of the inversion but its first state, drawn without a network, and
samples with fresh noise; `ddim` inverts and samples the ode. A selection is held by `server.methods.selection`.

Other than the published code: the last step's noise is kept (`keep_last`), only the steps that run are inverted, at once
where they fit, and what leads is evaluated in one batch. A start is given as SNR, as a step's number means another noise in
every model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from server.audio import Clip
from server.kinds.edit import EditOptions
from server.methods import selection
from server.methods.context import Context, Output
from server.methods.count import Counter
from server.methods.fitting import Fitted, bandwidth_hz, fit
from server.methods.heard import heard
from server.methods.invert_clip import Inversion, clip_seed, ddim_invert_clip, invert_clip, prompted, rows_at_once
from server.methods.provenance import provenance
from server.models.base import Backbone
from server.sampling.invert import constant_inversion
from server.sampling.levels import Levels
from server.sampling.noise import GivenNoise, KeyedNoise, NoiseSource, Repeated, repeated
from server.sampling.solve import State, advance
from server.sampling.step import Solver

WEAKEST_DB, STRONGEST_DB = 10.0, -20.0
"""SNR of strengths 0 and 1. The paper edits from +2.2 to -8.7 dB (T_start 40 to 100 of AudioLDM2's 200), at most -20.5."""
USUAL_STRENGTH = 0.6
_LEAD, _DDIM_LEAD = 3.0, 1.25
"""Target guidance, times what suits the model: the paper's 12, and 5 for ddim, on a model that 4 suits. On the embedded
model 7.5 led further, and was nearer to the clip where it adhered as its own 2.5 did (server/measure/editing.py, 13 clips).
"""


@dataclass(frozen=True)
class Way:
    """From where, and with what noise, the edits of a clip go to the end.

    first: state [items, ...]; noise: of the steps from there; own: the clip's own state [items, ...] at a level, of which
    the last, `own(levels.n_steps)`, is its latents.
    """

    first: State
    noise: NoiseSource
    own: Callable[[int], Tensor]
    solver: Solver
    order: int


@dataclass(frozen=True)
class Edit:
    """What all results of one job share. mask: of the selection, None without one."""

    backbone: Backbone
    options: EditOptions
    levels: Levels
    clip: Fitted
    spans: selection.Spans
    weight: float
    count: Counter

    @property
    def start(self) -> int:
        """The level where the edit begins."""
        return start_level(self.levels, self.options)

    @torch.no_grad()
    def latents(self, targets: Sequence[str], way: Way) -> Tensor:
        """Edited latents [targets * items, ...], of every target in turn, in one batch."""
        denoise, cost = prompted(self.backbone, targets, self.clip, self.weight)
        noise, state = Repeated(way.noise, len(targets)), replace(way.first, x=repeated(way.first.x, len(targets)))
        delta = selection.pull_back_per_step(self.options.pull_back, self.levels.n_steps)
        mask = self.mask(way)
        for i in range(self.start, self.levels.n_steps):
            self.count("editing", cost)
            x0hat = denoise(state.x, self.levels.at(i))
            state = advance(state, x0hat, self.levels, noise=noise, solver=way.solver, order=way.order)
            if mask is not None:
                own = repeated(way.own(i + 1), len(targets))
                state = replace(state, x=selection.pulled_back(state.x, own, mask, delta))
        return state.x

    def mask(self, way: Way) -> Tensor | None:
        """M of eq. 6; None without a selection."""
        return selection.latent_mask(self.spans, way.first.x, self.backbone.facts.latent_hz) if self.spans else None


def run(clips: Mapping[str, Clip], options: EditOptions, context: Context) -> list[Output]:
    """Edited clips with the original's rate, channels, exact length and gain, one per target.

    Raises:
        InvalidInput: the clip is silent, too short or too long for the model.
        InvalidOption: a selection behind the clip's end; steps that the model does not have.
    """
    edit = _prepare(clips["clip"], options, context)
    seed, count = clip_seed(options.seed, context.digests["clip"]), edit.count
    left = edit.levels.n_steps - edit.start
    after = prompted(edit.backbone, options.to, edit.clip, edit.weight)[1] * left
    inverting = prompted(edit.backbone, [options.source], edit.clip, options.guidance_source)[1] * left
    count.planned = after + (0 if options.method == "sdedit" else inverting)
    way = _way(edit, seed, context)
    inverted = count.done
    count.planned = inverted + after  # less, where the inversion was kept
    made = [one for targets in _together(edit, way) for one in _rendered(edit, way, targets)]
    shared = provenance(edit.backbone, options, seed) | {
        "snr_db": round(float(edit.levels.snr_db[edit.start]), 2), "at_step": left, "guidance_target": edit.weight,
        "inversion_evaluations": inverted, "network_evaluations": count.done,
        "bandwidth_hz": bandwidth_hz(edit.clip.source, edit.backbone)} | ({"idle": options.idle} if options.idle else {})
    return [Output("edited", f"edited_{number}", clip, provenance=shared | said)
            for number, (clip, said) in enumerate(made, 1)]


def _prepare(clip: Clip, options: EditOptions, context: Context) -> Edit:
    backbone = context.backbone(options.backbone)
    fitted = fit(clip, backbone, "the clip")
    spans = selection.within(options.select, clip.duration_s)
    levels = backbone.levels(options.steps, options.schedule)
    return Edit(backbone, options, levels, fitted, spans, _target_guidance(options, backbone), Counter(context))


def _rendered(edit: Edit, way: Way, targets: Sequence[str]) -> list[tuple[Clip, dict[str, Any]]]:
    """The clip of every target, and what is said of it alone."""
    made = []
    for target, latents in zip(targets, edit.latents(targets, way).split(edit.clip.items), strict=True):
        edit.count("decoding", 0)
        clip = heard(latents, edit.clip, edit.backbone, edit.spans, raw_level=edit.options.raw_level)
        made.append((clip, {"to": target} | _leakage(edit, way, latents)))
    return made


def start_level(levels: Levels, options: EditOptions) -> int:
    """The evaluated level nearest to the SNR that `strength` or `snr_db` says."""
    snr_db = options.snr_db
    if snr_db is None:
        strength = USUAL_STRENGTH if options.strength is None else options.strength
        snr_db = WEAKEST_DB + (STRONGEST_DB - WEAKEST_DB) * strength
    return levels.index_at_snr_db(snr_db)


def _target_guidance(options: EditOptions, backbone: Backbone) -> float:
    if options.guidance_target is not None:
        return options.guidance_target
    return backbone.facts.guidance * (_DDIM_LEAD if options.method == "ddim" else _LEAD)


def _way(edit: Edit, seed: int, context: Context) -> Way:
    options, start = edit.options, edit.start
    asked = Inversion(options.steps, options.schedule, seed, options.source, options.guidance_source)
    if options.method == "ddpm":
        trajectory = invert_clip(edit.clip, edit.backbone, asked, start, context, edit.count)
        noise = trajectory.noise(options.keep_last, order=options.order)
        return Way(trajectory.state(start), noise, lambda i: trajectory.x[i - start], "sde", options.order)
    if options.method == "ddim":
        states = ddim_invert_clip(edit.clip, edit.backbone, asked, start, context, edit.count)
        return Way(State(states[0], start), GivenNoise({}), lambda i: states[i - start], "ode", 1)
    edit.count("encoding", 0)
    with torch.no_grad():
        x0 = edit.backbone.encode(edit.clip.audio)
    noise = KeyedNoise(seed, [0] * edit.clip.items)

    def own(i: int) -> Tensor:
        return x0 if i == edit.levels.n_steps else constant_inversion(x0, edit.levels, i, "forward", noise)

    return Way(State(own(start), start), noise, own, "sde", options.order)


def _together(edit: Edit, way: Way) -> list[tuple[str, ...]]:
    """The targets in groups that the network is given at once."""
    size = max(1, rows_at_once(way.first.x) // (2 * edit.clip.items))
    return [edit.options.to[i : i + size] for i in range(0, len(edit.options.to), size)]


def _leakage(edit: Edit, way: Way, latents: Tensor) -> dict[str, Any]:
    mask = edit.mask(way)
    if mask is None:
        return {}
    return {"leakage": round(selection.leakage(latents, way.own(edit.levels.n_steps), mask), 4)}
