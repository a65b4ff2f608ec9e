# SPDX-License-Identifier: GPL-3.0-or-later
"""restore: a clip is mended by a model that is led by what the damage left (DiffMusic, Liao, Pan and Yang 2024).

The model walks from noise to sound; at every step its estimate is decoded, measured as the clip was, and pulled toward the
clip (`server.sampling.posterior`, `server.methods.measurement`). Where the paper begins with noise alone, this begins with
the clip's own noised latents, roughly mended first: fewer steps are left to run, and the sound stays that of the clip.
The sources of a mixture all begin with the noise that its latents come from, as in `separate`, and the measurement leads
them on from there; where the paper tells them apart by nothing, each has its words. Around a gap, what is known is held at
every level. There is no guidance by a null prompt: with identical embeddings it is the unguided prediction at twice the
cost. The paper ends with what the model made; here it is used for what the clip does not tell, and no more
(`server.methods.mend`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from server.audio import Clip
from server.kinds.restore import RestoreOptions
from server.methods import consistency, mend
from server.methods.context import Context, Output, Progress
from server.methods.damage import clipped_samples
from server.methods.fitting import bandwidth_hz, unfit
from server.methods.masks import highlighted, split
from server.methods.provenance import provenance
from server.methods.repair import Repair, prepare, sample, sounds
from server.methods.sparse_declip import declipped
from server.methods.stretches import around

POLISH = 200
"""Griffin-Lim iterations on the given magnitudes at the end, from the model's phases and from the first guess; the nearer
one is kept."""


def run(clips: Mapping[str, Clip], options: RestoreOptions, context: Context) -> list[Output]:
    """The mended clip, or its stems, with the clip's rate, channels, length and level.

    Raises:
        InvalidInput: the clip is silent, too short or too long; its magnitudes do not fit it; its room cannot be guessed.
        InvalidOption: a gap, cutoff or level that the clip does not have.
    """
    mended, record = (_around_gaps if options.task == "inpaint" else _as_a_whole)(clips, options, context)
    record = record | {"options": options.model_dump(mode="json")}
    if options.task != "separate":
        return [Output("restored", "restored", mended[0], provenance=record)]
    stems = [Output("stem", f"stem_{number}", clip, provenance=record | {"stem": words})
             for number, (words, clip) in enumerate(zip(options.stem, mended, strict=False), 1)]
    return [*stems, Output("residual", "residual", mended[-1], provenance=record)]


def _as_a_whole(clips: Mapping[str, Clip], options: RestoreOptions, context: Context) -> tuple[list[Clip], dict[str, Any]]:
    """The mended clips, and how they were made."""
    repair = prepare(clips, options, context)
    distances: list[float] = []
    made = sounds(repair, sample(repair, distances))
    mended, told = _mended(repair, made)
    return mended, provenance(repair.backbone, options, repair.noise.seed) | repair.found.told() | told | {
        "network_evaluations": repair.count.done,
        "distance": {"first": round(distances[0], 6), "last": round(distances[-1], 6)},
        "bandwidth_hz": bandwidth_hz(repair.clip, repair.backbone),
    }


def _around_gaps(clips: Mapping[str, Clip], options: RestoreOptions,
                 context: Context) -> tuple[list[Clip], dict[str, Any]]:
    """The same, of the neighbourhoods of the gaps alone. A gap in silence becomes silence."""
    clip, records = clips["clip"], []
    samples = clip.samples.copy()
    stretches = around(clip, options.gap)
    heard = [stretch for stretch in stretches if not stretch.is_silent(clip)]
    rendered = heard or stretches[:1]  # all in silence: the first one says so
    for number, stretch in enumerate(rendered):
        asked = options.model_copy(update={"gap": stretch.gaps_s})
        (part,), record = _as_a_whole({"clip": stretch.of(clip)}, asked, _part_of(context, number, len(rendered)))
        samples[:, stretch.start : stretch.stop] = part.samples
        records.append(record)
    for stretch in stretches:
        if stretch not in heard:
            samples[:, stretch.start : stretch.stop] = 0.0
    rate = clip.sample_rate
    return [replace(clip, samples=samples)], records[0] | {
        "stretches_s": [[round(stretch.start / rate, 3), round(stretch.stop / rate, 3)] for stretch in heard],
        "network_evaluations": sum(record["network_evaluations"] for record in records),
        "distance": [record["distance"] for record in records],
    }


def _part_of(context: Context, number: int, of: int) -> Context:
    """The same for one of several renders alike: its progress is a share of the job's."""
    def on_step(progress: Progress) -> None:
        n_steps = max(1, progress.n_steps)
        context.on_step(Progress(number * n_steps + progress.step, of * n_steps, progress.phase))

    return replace(context, on_step=on_step)


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
        candidates = {name: consistency.phase_retrieval(found.magnitude, start, *found.window(), POLISH)
                      for name, start in (("model", made[0]), ("griffin_lim", repair.shown.source))}
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
