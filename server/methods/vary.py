# SPDX-License-Identifier: GPL-3.0-or-later
"""vary: the clip's own trajectory, moved along directions of its posterior (Manor and Michaeli, arXiv:2402.10009, 3.3).

The clip is inverted (edit-friendly DDPM, order 1) from the noisiest level that is needed, and sampled again from the first
level of the range with the noise that the inversion found; at every level of the range

    x0hat <- x0hat + gamma sum_i w_i sqrt(lambda_i) v_i

inside the step, which is the paper's eq. 5: its c_t is the step's coefficient of x0hat at eta 1. lambda_i is that of the
level at hand, v_i that of a fixed level t' or of the level itself. With gamma 0 nothing moves: the latents are the clip's.

Other than the published code: only the steps that run are inverted and what the inversion evaluated is not evaluated again,
all variations go through the network in one batch, and the last step's noise is kept. With a selection the directions are
those of its frames alone, and the rest is pulled back (eq. 6), which the published code leaves off by default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from server.audio import Clip
from server.errors import InvalidOption
from server.kinds.vary import VaryOptions
from server.methods import directions_file, selection
from server.methods.context import Context, Output
from server.methods.count import Counter
from server.methods.directions_file import Directions
from server.methods.find_directions import RANGE_DB, STEP_RANGE_DB, Search, find, moved_levels, planned, search
from server.methods.fitting import Fitted, bandwidth_hz, fit
from server.methods.heard import heard
from server.methods.invert_clip import Inversion, clip_seed, invert_clip, prompted, rows_at_once
from server.methods.provenance import provenance
from server.models.base import Backbone
from server.models.eigenvalues import EigenvalueTable, read_table, shipped_table
from server.sampling.invert import Trajectory
from server.sampling.levels import Levels
from server.sampling.noise import Repeated, repeated
from server.sampling.solve import State, advance

_PER_LEVEL = ("snr_db", "eigenvalues", "iterations", "angle", "found_at_db")
"""What the first of a job's variations says of its directions, and the others leave out: with directions at hundreds of
levels, 64 of them would be more than is kept of a job."""


@dataclass(frozen=True)
class Move:
    """One variation: its name, and the weight of every direction, gamma and sign included."""

    name: str
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Vary:
    """What all results of one job share. spans: of the selection, empty for all of the clip."""

    backbone: Backbone
    options: VaryOptions
    levels: Levels
    clip: Fitted
    spans: selection.Spans
    count: Counter

    def groups(self, moves: Sequence[Move]) -> list[Sequence[Move]]:
        """The moves in groups that the network is given at once."""
        like = torch.empty(1, *self.backbone.latent_shape(self.clip.n_samples), device=self.backbone.device)
        size = max(1, rows_at_once(like) // (2 * self.clip.items))
        return [moves[i : i + size] for i in range(0, len(moves), size)]

    def mask(self) -> Tensor | None:
        """1 in the latent frames of the selection; None without one."""
        if not self.spans:
            return None
        like = torch.zeros(1, *self.backbone.latent_shape(self.clip.n_samples))
        return selection.latent_mask(self.spans, like, self.backbone.facts.latent_hz).to(self.backbone.device)

    @torch.no_grad()
    def latents(self, moves: Sequence[Move], directions: Directions, trajectory: Trajectory,
                moved: Sequence[int]) -> Tensor:
        """Latents [moves * items, ...] of every move in turn, in one batch."""
        denoise, cost = prompted(self.backbone, [self.options.prompt] * len(moves), self.clip, self.options.guidance)
        noise = Repeated(trajectory.noise(), len(moves))
        delta = selection.pull_back_per_step(self.options.pull_back, self.levels.n_steps)
        mask, weights = self.mask(), torch.tensor([move.weights for move in moves])
        state = State(repeated(trajectory.state(moved[0]).x, len(moves)), moved[0])
        for i in range(moved[0], self.levels.n_steps):
            self.count("varying", cost)
            x0hat = denoise(state.x, self.levels.at(i))
            if i in moved:
                shift = directions.shift(float(self.levels.snr_db[i]), weights).to(x0hat)
                x0hat = x0hat + shift.repeat_interleave(self.clip.items, dim=0)
            state = advance(state, x0hat, self.levels, noise=noise, order=1)
            if mask is not None:
                own = repeated(trajectory.x[i + 1 - trajectory.start], len(moves))
                state = replace(state, x=selection.pulled_back(state.x, own, mask, delta))
        return state.x


def run(clips: Mapping[str, Clip], options: VaryOptions, context: Context) -> list[Output]:
    """Variations with the clip's rate, channels, exact length and gain, and the directions as a file if they are new.

    Raises:
        InvalidInput: the clip is silent, too short or too long for the model; a file that does not belong to it.
        InvalidOption: a selection behind the clip's end; more weights than directions; no table to take the scale from.
        ModelUnavailable: the model's network cannot be differentiated.
    """
    backbone = context.backbone(options.backbone)
    clip = fit(clips["clip"], backbone, "the clip")
    spans = selection.within(options.select, clip.source.duration_s)
    vary = Vary(backbone, options, backbone.levels(options.steps, options.schedule), clip, spans, Counter(context))
    seed = clip_seed(options.seed, context.digests["clip"])
    known = _known_directions(vary, context)
    wanted = None if known else _search(vary, context)
    moved = moved_levels(_range_db(options, known), vary.levels)
    start = min([*moved, *(wanted.levels if wanted else ())])
    moves = _moves(options, known.n if known else wanted.n)
    cost = prompted(backbone, [options.prompt], clip, options.guidance)[1]
    searching = planned(wanted, cost) if wanted else 0
    varying = cost * len(moves) * (vary.levels.n_steps - moved[0])
    vary.count.planned = cost * (vary.levels.n_steps - start) + searching + varying
    asked = Inversion(options.steps, options.schedule, seed, options.prompt, options.guidance)
    trajectory = invert_clip(clip, backbone, asked, start, context, vary.count)
    inverted = vary.count.done
    directions = known or find(wanted, backbone, clip, trajectory, options, seed, vary.count)
    searched = vary.count.done - inverted
    vary.count.planned = vary.count.done + varying
    results = []
    for group in vary.groups(moves):
        together = vary.latents(group, directions, trajectory, moved)
        for move, latents in zip(group, together.split(clip.items), strict=True):
            vary.count("decoding", 0)
            made = heard(latents, clip, backbone, spans, raw_level=options.raw_level)
            results.append((move, made, _change(vary, trajectory, latents)))
    shared = provenance(backbone, options, seed) | {
        "range_db": [round(float(vary.levels.snr_db[i]), 2) for i in (moved[0], moved[-1])],
        "directions": dict(directions.card) | {"per_step": directions.per_step, "found_at_db": list(directions.snr_db)},
        "inversion_evaluations": inverted, "direction_evaluations": searched,
        "network_evaluations": vary.count.done, "bandwidth_hz": bandwidth_hz(clip.source, backbone)}
    brief = shared | {"directions": {key: said for key, said in shared["directions"].items() if key not in _PER_LEVEL}}
    outputs = [Output("variation", move.name, made,
                      provenance=(brief if number else shared) | {"weights": list(move.weights)} | changed)
               for number, (move, made, changed) in enumerate(results)]
    if known is None:
        outputs.append(Output("directions", "directions", data=directions_file.to_bytes(directions, backbone.facts),
                              media="application/x-safetensors", provenance=shared))
    return outputs


def _known_directions(vary: Vary, context: Context) -> Directions | None:
    """Those of the file that came with the job, as many as are wanted."""
    path = context.files.get("from_directions")
    if path is None:
        return None
    facts, shape = vary.backbone.facts, vary.backbone.latent_shape(vary.clip.n_samples)
    known = directions_file.read(path, facts, shape)
    if len(vary.options.combine) > known.n:
        raise InvalidOption(f"vary: combine has {len(vary.options.combine)} weights; the file holds {known.n} directions. "
                            "Give as many weights at most.")
    return known.first(min(_how_many(vary.options), known.n))


def _search(vary: Vary, context: Context) -> Search:
    return search(vary.options, vary.levels, _how_many(vary.options), _table(vary, context), vary.mask())


def _table(vary: Vary, context: Context) -> EigenvalueTable | None:
    """The table that the eigenvalues are taken from; None: from the clip."""
    facts, options, n = vary.backbone.facts, vary.options, _how_many(vary.options)
    path = context.files.get("eigenvalues")
    if options.scale == "clip":
        return None
    table = read_table(path, facts) if path else shipped_table(facts)
    if path is None and options.scale == "auto" and (options.select or options.per_step or table and n > table.n):
        return None
    if table is not None and n > table.n:
        raise InvalidOption(f"vary: the table of eigenvalues holds {table.n} for each level; {n} directions are wanted. "
                            "Ask for fewer, or say scale=clip without a table.")
    if table is None and options.scale == "table":
        raise InvalidOption(f"vary: scale=table needs a table of {facts.name}'s eigenvalues; none ships for it. Measure "
                            f"one with `python -m server.measure.eigenvalues {facts.name}` and say --eigenvalues FILE, "
                            "or leave scale out.")
    return table


def _how_many(options: VaryOptions) -> int:
    return len(options.combine) or options.directions


def _range_db(options: VaryOptions, known: Directions | None) -> tuple[float, float]:
    if options.range:
        return options.range
    if known is not None and known.per_step:
        return min(known.snr_db) - 0.01, max(known.snr_db) + 0.01
    return STEP_RANGE_DB if options.per_step else RANGE_DB


def _moves(options: VaryOptions, n: int) -> list[Move]:
    """Every direction, or the mixed one, in every way and gamma; where nothing moves, one way is enough."""
    mixed = [("mixed", tuple(options.combine) + (0.0,) * (n - len(options.combine)))]
    single = [(f"direction_{i + 1}", tuple(float(k == i) for k in range(n))) for i in range(n)]
    moves = []
    for name, weights in mixed if options.combine else single:
        for gamma in options.gamma:
            for sign, factor in (("plus", gamma), ("minus", -gamma)):
                if options.sign in ("both", sign) and not (sign == "minus" and gamma == 0.0 and options.sign == "both"):
                    far = f"_{gamma:g}" if len(options.gamma) > 1 else ""
                    moves.append(Move(f"{name}_{sign}{far}", tuple(factor * w for w in weights)))
    return moves


def _change(vary: Vary, trajectory: Trajectory, latents: Tensor) -> dict[str, Any]:
    """How far the latents have moved, RMS over that of the clip's; with a selection, also how much leaked out of it."""
    own = trajectory.x[-1]
    change = {"change": round(float((latents - own).norm() / own.norm()), 4)}
    mask = vary.mask()
    return change if mask is None else change | {"leakage": round(selection.leakage(latents, own, mask), 4)}
