# SPDX-License-Identifier: GPL-3.0-or-later
"""restore: a clip is mended by a model that is led by what the damage left (DiffMusic, Liao, Pan and Yang 2024).

The model walks from noise to sound; at every step its estimate is decoded, measured as the clip was, and pulled toward the
clip (`server.sampling.posterior`, `server.methods.measurement`). Where the paper begins with noise alone, this begins with
the clip's own noised latents, roughly mended first: fewer steps are left to run, and the sound stays that of the clip.
Around a gap, what is known is held at every level. There is no guidance by a null prompt: with identical embeddings it is
the unguided prediction at twice the cost. The paper ends with what the model made; here it is used for what the clip does
not tell, and no more (`server.methods.mend`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from server.audio import Clip
from server.kinds.restore import RestoreOptions
from server.methods import consistency, mend
from server.methods.context import Context, Output
from server.methods.count import Counter
from server.methods.damage import clipped_samples
from server.methods.decoding import decode_for_gradient
from server.methods.fitting import Fitted, bandwidth_hz, fit, unfit
from server.methods.known import Known, gap_frames, known, roughly_mended
from server.methods.masks import highlighted, split
from server.methods.measurement import Measurement, measurement
from server.methods.provenance import provenance
from server.methods.sparse_declip import declipped
from server.models.base import Backbone
from server.sampling.guide import guided
from server.sampling.noise import KeyedNoise
from server.sampling.posterior import Dps, Dsg, Guide, Held, Irs, Pull, steer
from server.sampling.solve import Denoise, State


@dataclass(frozen=True)
class Recipe:
    """What suits a task.

    rate, radius: of the pull (`server.sampling.posterior.Pull`); start_db: the SNR that the clip's own latents, roughly
    mended, are noised to at the start, None for noise alone.
    """

    rate: float
    radius: float
    start_db: float | None


RECIPES = {
    "inpaint": Recipe(1.0, 0.2, -6.0),
    "super_resolution": Recipe(1.0, 0.2, -6.0),
    "dereverb": Recipe(1.0, 0.2, -3.0),
    "phase_retrieval": Recipe(1.0, 0.2, 0.0),
    "separate": Recipe(1.0, 0.2, -10.0),
    "denoise": Recipe(1.0, 0.2, -3.0),
    "declip": Recipe(1.0, 0.2, 0.0),
}
DSG_SHARE = 0.1
POLISH = 200
"""Griffin-Lim iterations on the given magnitudes at the end, from the model's phases and from the first guess; the nearer
one is kept."""


@dataclass(frozen=True)
class Repair:
    """One job. clip: as it came; shown: as the model takes it; found: what is known; measured: what leads the model."""

    backbone: Backbone
    options: RestoreOptions
    clip: Clip
    shown: Fitted
    found: Known
    measured: Measurement
    noise: KeyedNoise
    count: Counter

    @property
    def sources(self) -> int:
        """Sounds that are looked for in every item."""
        return len(self.options.stem) if self.options.task == "separate" else 1

    @property
    def recipe(self) -> Recipe:
        """The task's, with what the options say."""
        usual, options = RECIPES[self.options.task], self.options
        start_db = usual.start_db if options.begin == "clip" else None
        return Recipe(usual.rate if options.rate is None else options.rate, usual.radius, start_db)

    def denoiser(self) -> tuple[Denoise, int]:
        """The network under its prompts, for all sources of all items, and the evaluations that one of them costs."""
        seconds, backbone = self.clip.duration_s, self.backbone
        prompts = self.options.stem if self.sources > 1 else (self.options.prompt,)
        conditional = [backbone.condition(words, seconds) for words in prompts if words] * self.shown.items
        null = [backbone.condition(None, seconds)] * (self.sources * self.shown.items)
        weight = backbone.facts.guidance if self.options.guidance is None else self.options.guidance
        if not conditional or weight == 0.0:
            return guided(backbone, null, null, 0.0), 1
        return guided(backbone, conditional, null, weight), 1 if weight == 1.0 else 2

    def guide(self, distances: list[float]) -> Guide:
        """How a step is led; tells `distances` the RMS distance from the measurement each time."""
        backbone, options, recipe = self.backbone, self.options, self.recipe

        def loss(x0: Tensor) -> Tensor:
            found = self.measured.loss(decode_for_gradient(backbone, x0, self.shown.n_samples))
            distances.append(float((found.detach().sum() / self.measured.target.numel()).sqrt()))
            return found

        pull = Pull(recipe.rate, radius=recipe.radius)
        if options.algorithm == "dps":
            return Dps(loss, pull, self.noise, literal=options.literal)
        if options.algorithm == "dsg":
            return Dsg(loss, min(1.0, DSG_SHARE if options.rate is None else options.rate), self.noise, options.literal)
        return Irs(loss, pull, self.noise)


def run(clips: Mapping[str, Clip], options: RestoreOptions, context: Context) -> list[Output]:
    """The mended clip, or its stems, with the clip's rate, channels, length and level.

    Raises:
        InvalidInput: the clip is silent, too short or too long; its magnitudes do not fit it; its room cannot be guessed.
        InvalidOption: a gap, cutoff or level that the clip does not have.
    """
    repair = prepare(clips, options, context)
    distances: list[float] = []
    made = _sounds(repair, sample(repair, distances))
    mended, told = _mended(repair, made)
    record = provenance(repair.backbone, options, repair.noise.seed) | repair.found.told() | told | {
        "network_evaluations": repair.count.done,
        "distance": {"first": round(distances[0], 6), "last": round(distances[-1], 6)},
        "bandwidth_hz": bandwidth_hz(repair.clip, repair.backbone),
    }
    if options.task != "separate":
        return [Output("restored", "restored", mended[0], provenance=record)]
    stems = [Output("stem", f"stem_{number}", clip, provenance=record | {"stem": words})
             for number, (words, clip) in enumerate(zip(options.stem, mended, strict=False), 1)]
    return [*stems, Output("residual", "residual", mended[-1], provenance=record)]


def prepare(clips: Mapping[str, Clip], options: RestoreOptions, context: Context) -> Repair:
    """What a job needs to be known before the walk begins; raises as `run`."""
    backbone = context.backbone(options.backbone)
    rate, clip = backbone.facts.sample_rate, clips["clip"]
    count = Counter(context)
    count("encoding", 0)
    found = known(clips, context.files, options)
    shown = fit(roughly_mended(clip, options, found), backbone, "the clip")
    response = torch.from_numpy(found.response(rate)) if options.task == "dereverb" else None
    measured = measurement(options, shown, rate, cutoff_hz=found.cutoff_hz, level=found.level, response=response)
    sources = len(options.stem) if options.task == "separate" else 1
    # Both channels of a clip on a mono model share their noise; two sources do not.
    noise = KeyedNoise(context.seed(options.seed), list(range(sources)) * shown.items)
    return Repair(backbone, options, clip, shown, found, measured, noise, count)


def sample(repair: Repair, distances: list[float]) -> Tensor:
    """Latents [items * sources, ...] at the end; `distances` is told how far each step was from the measurement."""
    backbone, options, shown = repair.backbone, repair.options, repair.shown
    levels, start_db = backbone.levels(options.steps, options.schedule), repair.recipe.start_db
    with torch.no_grad():
        x0 = backbone.encode(shown.audio).repeat_interleave(repair.sources, 0)
    e = repair.noise.initial(x0.shape[1:]).to(x0)
    guide, state = repair.guide(distances), State(e)
    if start_db is not None:
        index = levels.index_at_snr_db(start_db)
        alpha, sigma = levels.at(index).factors(x0)
        state = State(alpha * x0 + sigma * e, index)
    if options.task == "inpaint" and options.begin != "noise":
        guide = Held(guide, _free_of_gaps(repair, x0), x0, e)
        state = State(torch.lerp(state.x, guide.at(levels.at(state.index)), guide.known), state.index)
    denoise, cost = repair.denoiser()
    repair.count.planned = cost * repair.sources * (levels.n_steps - state.index)
    return steer(denoise, state, levels, guide, on_step=lambda event: repair.count("restoring", cost * repair.sources)).x


def _free_of_gaps(repair: Repair, x0: Tensor) -> Tensor:
    """1 for latent frames that are known, shaped to multiply `x0` [batch, channels, frames, ...]."""
    spans = consistency.gap_samples(repair.clip, repair.options.gap)
    free = gap_frames(spans, repair.clip.sample_rate, repair.backbone.facts.latent_hz, x0.shape[2]).to(x0)
    return free.reshape(-1, *[1] * (x0.ndim - 3))


@torch.no_grad()
def _sounds(repair: Repair, latents: Tensor) -> list[Clip]:
    """What the model made: one clip like the given one for each source."""
    repair.count("decoding", 0)
    audio = torch.cat([repair.backbone.decode(item, repair.shown.n_samples) for item in latents.split(1)])
    return [unfit(audio[source :: repair.sources], repair.shown, repair.backbone) for source in range(repair.sources)]


@torch.no_grad()
def _mended(repair: Repair, made: list[Clip]) -> tuple[list[Clip], dict[str, Any]]:
    """What comes back, and what there is to say about it."""
    clip, options, found = repair.clip, repair.options, repair.found
    told: dict[str, Any] = {}
    if options.task == "separate":
        return _cut(repair, made)
    if options.task == "inpaint":
        mended = consistency.inpaint(clip, made[0], options.gap)
    elif options.task == "phase_retrieval":
        assert found.magnitude is not None
        rough = roughly_mended(clip, options, found)
        candidates = {name: consistency.phase_retrieval(found.magnitude, start, *found.window(), POLISH)
                      for name, start in (("model", made[0]), ("griffin_lim", rough))}
        nearest = min(candidates, key=lambda name: candidates[name][1])
        mended, error_db = candidates[nearest]
        told |= {"magnitude_error_db": round(error_db, 2), "phases": nearest}
    elif options.task == "super_resolution":
        assert found.cutoff_hz is not None
        mended = consistency.super_resolution(clip, made[0], found.cutoff_hz)
    elif options.task == "declip":
        assert found.level is not None
        mended = declipped(clip, made[0], clipped_samples(clip, found.level))
    elif options.task == "dereverb":
        response = found.response(clip.sample_rate)
        mended = (mend.unconvolved(clip, made[0], response) if found.rt60_s is None
                  else mend.dried(clip, made[0], response, found.rt60_s))
    else:
        mended = mend.denoised(clip, made[0])
    return [highlighted(clip, mended, options.strength)], told


def _cut(repair: Repair, made: list[Clip]) -> tuple[list[Clip], dict[str, Any]]:
    """Stems cut out of the mixture by what the model made, and the residual that no stem claims."""
    x0 = repair.backbone.encode(repair.shown.audio)
    seen = unfit(repair.backbone.decode(x0, repair.shown.n_samples), repair.shown, repair.backbone)
    found = split(repair.clip, made, seen, repair.backbone.facts.sample_rate / 2)
    above = found.continued_above_hz
    return [*found.stems, found.residual], {} if above is None else {"masks_continued_above_hz": above}
