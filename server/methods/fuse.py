# SPDX-License-Identifier: GPL-3.0-or-later
"""fuse: the reference leads, the original steps in (Abstract Sound Fusion, arXiv:2506.11811).

Phase 1 follows the reference from noise (`server.methods.lead`). In the step from level j to j + 1 the original's
inverted latent takes the place of x_t in the linear term, while the model-output term and the noise stay with the
reference (the paper, section 3.3). Phase 2 goes to the end with the null prompt, unguided. Where the reference leads by
its own inversion, a prompt, if there is one, conditions its inversion and the second phase alike, without guidance: the
two must agree for the noise maps to mean the same. A model that remembers the reference (`Remembering`) makes both phases
of it, without words.

All levels of a sweep share one lead, and their second phases go through the network in one batch: five levels of a
200-step render cost 920 evaluations, where they cost 1320 one by one (benchmarks/fuse_sweep.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from server.audio import Clip, match_level
from server.errors import InvalidOption
from server.kinds.fuse import FuseOptions, learned_entry
from server.methods import adapters
from server.methods.balance import MAX_RENDERS, find_balance
from server.methods.context import Context, Output
from server.methods.count import Counter
from server.methods.fitting import Fitted, bandwidth_hz, fit, fit_to, unfit
from server.methods.lead import Lead, Stepper, from_noise, from_reference
from server.methods.likeness import Likeness, likeness
from server.methods.provenance import provenance
from server.models.base import Backbone, Remembering
from server.sampling.guide import guided
from server.sampling.invert import constant_inversion
from server.sampling.levels import Levels
from server.sampling.noise import KeyedNoise
from server.sampling.solve import State


@dataclass(frozen=True)
class Rendered:
    """A fused clip, the level at which the original stepped in, and its likeness to both."""

    level: int
    clip: Clip
    likeness: Mapping[str, Any]


@dataclass(frozen=True)
class Fusion:
    """What all renders of one job share. x0: the original's latents [items, ...]."""

    backbone: Backbone
    options: FuseOptions
    levels: Levels
    original: Fitted
    x0: Tensor
    noise: KeyedNoise
    ends: Likeness
    count: Counter
    stepper: Stepper = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stepper", Stepper(self.options.solver, self.options.order, self.options.form))

    @property
    def closing_prompt(self) -> str | None:
        """What conditions the second phase, and the reference's inversion; None is the null prompt."""
        return self.options.prompt or None if self.options.reference == "inversion" else None

    def denoiser(self, prompt: str | None, weight: float = 1.0) -> Callable[..., Tensor]:
        """The guided network for the original's items; unguided where `weight` is left out."""
        seconds, items = self.original.source.duration_s, self.original.items
        null = [self.backbone.condition(None, seconds)] * items
        return guided(self.backbone, [self.backbone.condition(prompt, seconds)] * items, null, weight)

    def intervene(self, level: int, lead: Lead) -> State:
        """The original steps in at `level`: the state from which the second phase goes on."""
        state, inverted = lead.states[level], self._inverted(level, lead)
        keeps = self.options.history == "keep"
        if self.options.inject == "state":
            return State(inverted, level, state.history if keeps else ())
        after = self.stepper.advance(state, lead.x0hats[level], self.levels, lead.noise, linear=inverted)
        return after if keeps else State(after.x, after.index)

    @torch.no_grad()
    def finish(self, branches: list[State], lead: Lead) -> list[Tensor]:
        """Latents at the end of the second phase; branches at the same level share a batch."""
        denoise = self.denoiser(self.closing_prompt)
        for i in range(min(branch.index for branch in branches), self.levels.n_steps):
            active = [k for k, branch in enumerate(branches) if branch.index == i]
            self.count("fusing", len(active))
            answers = denoise(torch.cat([branches[k].x for k in active]), self.levels.at(i)).split(self.original.items)
            for k, x0hat in zip(active, answers, strict=True):
                branches[k] = self.stepper.advance(branches[k], x0hat, self.levels, lead.noise)
        return [branch.x for branch in branches]

    def render(self, levels: Sequence[int], lead: Lead) -> list[Rendered]:
        """One fused clip per level."""
        latents = self.finish([self.intervene(level, lead) for level in levels], lead)
        rendered = []
        for level, x in zip(levels, latents, strict=True):
            self.count("decoding", 0)
            with torch.no_grad():
                clip = unfit(self.backbone.decode(x, self.original.n_samples), self.original, self.backbone)
            if not self.options.raw_level:
                clip = match_level(clip, self.original.source)
            rendered.append(Rendered(level, clip, self.ends.of(clip)))
        return rendered

    def _inverted(self, level: int, lead: Lead) -> Tensor:
        if self.options.inversion == "shared_noise" and lead.noised:
            alpha, sigma = self.levels.at(level).factors(self.x0)
            return alpha * self.x0 + sigma * lead.noised(level)
        return constant_inversion(self.x0, self.levels, level, self.options.inversion, self.noise)


def run(clips: Mapping[str, Clip], options: FuseOptions, context: Context) -> list[Output]:
    """Fused clips with the original's rate, channels and exact length, one per level.

    Raises:
        InvalidInput: a clip is silent or too short; there is no such palette entry.
        InvalidOption: `at_step` outside the schedule.
        ModelUnavailable: the palette entry belongs to another backbone.
    """
    fusion = _prepare(clips, options, context)
    options, wanted = fusion.options, _wanted_levels(fusion)
    fusion.count.planned = _planned(options, fusion.levels.n_steps, wanted)
    with _reference_in_mind(fusion, clips, context) as adapter:
        lead = _lead(fusion, clips, min(wanted), max(wanted))
        if adapter and options.adapter_after == "drop":
            adapter.drop()
        found: dict[str, Any] = {}
        if options.balance == "auto":
            rendered, record = _balanced(fusion, lead, min(wanted), max(wanted))
            renders, found = [rendered], {"balance": record}
        else:
            renders = fusion.render(wanted, lead)
    return [_output(fusion, r, number, found, context) for number, r in enumerate(renders, 1)]


def _prepare(clips: Mapping[str, Clip], options: FuseOptions, context: Context) -> Fusion:
    backbone = context.backbone(options.backbone)
    options = options.model_copy(update={"reference": _how_it_leads(options.reference, backbone)})
    count = Counter(context)
    count("encoding", 0)
    original = fit(clips["original"], backbone, "the original")
    # Fitted whether or not it leads: what cannot be used is said before anything is rendered.
    reference = fit(clips["reference"], backbone, "the reference") if "reference" in clips else None
    with torch.no_grad():
        x0 = backbone.encode(original.audio)
    noise = KeyedNoise(context.seed(options.seed), [0] * original.items)
    ends = likeness(backbone, original, x0, reference)
    return Fusion(backbone, options, backbone.levels(options.steps, options.schedule), original, x0, noise, ends, count)


def _how_it_leads(asked: str, backbone: Backbone) -> str:
    remembers = isinstance(backbone, Remembering)
    if asked == "remember" and not remembers:
        raise InvalidOption(f"fuse: {backbone.facts.name} cannot remember a clip without training; reference='remember' is "
                            "for models that can, such as 'mosaic'. Take 'inversion' (seconds) or 'learn' (minutes).")
    return asked if asked != "auto" else "remember" if remembers else "inversion"


def _wanted_levels(fusion: Fusion) -> list[int]:
    """Levels where the original steps in; for a balance search, the two ends of the model's window."""
    options, levels = fusion.options, fusion.levels
    if options.at_step:
        return [_level_of_step(t, levels.n_steps) for t in options.at_step]
    window = fusion.backbone.facts.fusion
    low, high = window.low_db, window.high_db
    if options.balance == "auto":
        wanted = [low, high]
    elif options.sweep:
        wanted = [low + (high - low) * k / (options.sweep - 1) for k in range(options.sweep)]
    else:
        wanted = list(options.snr_db) or [window.usual_db]
    return [levels.index_at_snr_db(snr_db) for snr_db in wanted]


def _level_of_step(t: float, n_steps: int) -> int:
    """The paper counts steps down: t of them are left after the original has stepped in."""
    if t != int(t) or not 0 <= t < n_steps:
        raise InvalidOption(f"fuse: at_step={t:g} is not a whole number from 0 to {n_steps - 1} (steps={n_steps}).")
    return n_steps - 1 - int(t)


def _lead_cost(options: FuseOptions) -> int:
    """Evaluations of one guided step of the lead."""
    return 1 if options.reference in ("none", "inversion", "remember") or options.guidance in (0.0, 1.0) else 2


def _planned(options: FuseOptions, n_steps: int, wanted: Sequence[int]) -> int:
    """Evaluations that the job will take (at most, for a balance search)."""
    inverted = options.reference == "inversion"
    lead = n_steps - max(min(wanted) - 2, 0) if inverted else _lead_cost(options) * (max(wanted) + 1)
    extra = 1 if options.inject == "state" else 0
    tails = [n_steps - 1 - level + extra for level in wanted]
    return lead + (sum(tails) // 2 * MAX_RENDERS if options.balance == "auto" else sum(tails))


def _reference_in_mind(fusion: Fusion, clips: Mapping[str, Clip],
                       context: Context) -> AbstractContextManager[adapters.Adapted | adapters.Remembered | None]:
    """The reference inside the model, by a palette entry or as it is; nothing where it leads otherwise."""
    options, backbone = fusion.options, fusion.backbone
    if options.reference == "remember":
        assert isinstance(backbone, Remembering)
        return adapters.remembered(backbone, backbone.remember(_reference_latents(fusion, clips)[0]))
    entry = learned_entry(options, context.digests.get("reference", "")) if options.reference == "learn" else None
    return adapters.recalled_by_name(backbone, context.palette_dir, entry)


@torch.no_grad()
def _reference_latents(fusion: Fusion, clips: Mapping[str, Clip]) -> Tensor:
    """Latents [1, ...] of the reference, as long as the original."""
    reference = fit_to(clips["reference"], fusion.original, fusion.backbone, "the reference")
    return fusion.backbone.encode(reference.audio[:1])


def _lead(fusion: Fusion, clips: Mapping[str, Clip], first: int, last: int) -> Lead:
    options, backbone, original = fusion.options, fusion.backbone, fusion.original
    if options.reference == "inversion":
        x0 = _reference_latents(fusion, clips).expand(original.items, *fusion.x0.shape[1:])
        return from_reference(fusion.denoiser(fusion.closing_prompt), x0, fusion.levels, fusion.noise, fusion.stepper,
                              first, fusion.count)
    led = options.reference not in ("none", "remember") and bool(options.prompt)
    denoise = fusion.denoiser(options.prompt, options.guidance) if led else fusion.denoiser(None)
    return from_noise(denoise, fusion.levels, fusion.x0.shape[1:], fusion.noise, fusion.stepper, last, backbone.device,
                      fusion.count, _lead_cost(options) if led else 1)


def _balanced(fusion: Fusion, lead: Lead, low: int, high: int) -> tuple[Rendered, dict[str, Any]]:
    def render(level: int) -> tuple[Rendered, float]:
        rendered = fusion.render([level], lead)[0]
        return rendered, fusion.ends.lean(rendered.likeness)

    rendered, record = find_balance(render, low, high)
    snr_db = fusion.levels.snr_db
    curve = [[round(float(snr_db[level]), 2), difference] for level, difference in record["curve"]]
    return rendered, record | {"curve": curve}


def _output(fusion: Fusion, rendered: Rendered, number: int, found: Mapping[str, Any], context: Context) -> Output:
    level = rendered.level
    made = provenance(fusion.backbone, fusion.options, context.seed(fusion.options.seed)) | found | {
        "snr_db": round(float(fusion.levels.snr_db[level]), 2),
        "at_step": fusion.levels.n_steps - 1 - level,
        "likeness": dict(rendered.likeness),
        "network_evaluations": fusion.count.done,
        "bandwidth_hz": bandwidth_hz(fusion.original.source, fusion.backbone),
    }
    return Output("fused", f"fused_{number}", rendered.clip, provenance=made)
