# SPDX-License-Identifier: GPL-3.0-or-later
"""The directions of a clip: principal components of the model's posterior at states of the clip's own inversion.

With a fixed level the vectors are found there, and the eigenvalue of every other level, which scales them there, is the
model's average (`server.models.eigenvalues`) or the clip's own at a few levels, interpolated. Per step, every level of the
range has its own vectors and eigenvalues, with signs that follow each other. The states are known beforehand, so the
network sees all levels and components in batches.

Along its own directions per step a clip moves less than along fixed ones. Their range is shorter; and in the same range
too, levels 4 dB apart share only part of their span (cosines of 0.65 to 0.8 in root mean square), and equal eigenvalues
change places, so that the steps add up to less: 0.13 of the latents' norm against 0.16 (one clip of noise, three
directions, gamma 2). Following each component by its likeness in place of its rank gave 0.14.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from server.kinds.vary import VaryOptions
from server.methods.count import Counter
from server.methods.directions_file import Directions
from server.methods.fitting import Fitted
from server.methods.invert_clip import rows_at_once
from server.models.base import Backbone
from server.models.eigenvalues import EigenvalueTable
from server.sampling.directions import EVALUATIONS, Components, Jacobian, align_signs, principal_components
from server.sampling.guide import guided
from server.sampling.invert import Trajectory
from server.sampling.levels import Levels
from server.sampling.noise import KeyedNoise

AT_DB = -8.0
RANGE_DB, STEP_RANGE_DB = (-20.0, 300.0), (-16.0, 0.0)
"""Where the clip is moved, unless told otherwise: with fixed directions, and per step."""
CURVE_LEVELS = 6
_DERIVATIVE_MEMORY = 4  # a derivative needs the tangents beside the values, and attention unfused
_USUAL_ROUNDS = 11


@dataclass(frozen=True)
class Search:
    """Where directions are looked for.

    per_step: whether each level of the range has its own; at: levels whose vectors are wanted; curve: further levels, whose
    eigenvalues alone are; table: takes the place of all eigenvalues; n: how many directions; mask: [1, 1, frames, 1...] of
    the selection, None for all.
    """

    per_step: bool
    at: tuple[int, ...]
    curve: tuple[int, ...]
    table: EigenvalueTable | None
    n: int
    mask: Tensor | None = None

    @property
    def levels(self) -> list[int]:
        """All levels where components are computed, noisiest first."""
        return sorted({*self.at, *self.curve})


def search(options: VaryOptions, levels: Levels, n: int, table: EigenvalueTable | None, mask: Tensor | None) -> Search:
    """What the options ask for; eigenvalues are those of `table` where one is given."""
    moved = moved_levels(options.range or (STEP_RANGE_DB if options.per_step else RANGE_DB), levels)
    if options.per_step:
        return Search(True, moved, (), table, n, mask)
    at = levels.index_at_snr_db(AT_DB if options.at is None else options.at)
    return Search(False, (at,), () if table else _spread(moved), table, n, mask)


def moved_levels(stretch_db: tuple[float, float], levels: Levels) -> tuple[int, ...]:
    """The evaluated levels within (low, high) dB of SNR; where there is none, the one nearest to the middle."""
    low, high = stretch_db
    inside = tuple(i for i, snr_db in enumerate(levels.snr_db[:-1].tolist()) if low <= snr_db <= high)
    return inside or (levels.index_at_snr_db(0.5 * (low + high)),)


def planned(search: Search, cost: int) -> int:
    """Evaluations per item that the search will take, about."""
    return _USUAL_ROUNDS * EVALUATIONS * cost * search.n * len(search.levels)


def find(search: Search, backbone: Backbone, clip: Fitted, trajectory: Trajectory, options: VaryOptions, seed: int,
         count: Counter) -> Directions:
    """The directions, by principal components at the trajectory's states.

    Raises:
        ModelUnavailable: the model's network cannot be differentiated.
    """
    levels, at = trajectory.levels, search.levels
    x = torch.stack([trajectory.state(i).x for i in at])
    seconds, null = clip.source.duration_s, backbone.condition(None, clip.source.duration_s)
    prompt = backbone.condition(options.prompt, seconds) if options.prompt else null
    weight = options.guidance if options.prompt else 0.0
    cost = EVALUATIONS * (2 if weight not in (0.0, 1.0) else 1)
    jacobian = Jacobian(guided(backbone, [prompt], [null], weight))
    rows = max(1, rows_at_once(x[0]) // (cost * _DERIVATIVE_MEMORY * clip.items)) * clip.items
    mask = None if search.mask is None else search.mask[0]
    components = principal_components(
        jacobian, x, levels, at, search.n, KeyedNoise(seed), mask=mask, rows=rows,
        tick=lambda products: count("finding directions", cost * products // clip.items))
    snr_db = [round(float(levels.snr_db[i]), 3) for i in at]
    return _directions(search, components, at, snr_db, {
        "prompt": options.prompt, "guidance": options.guidance if options.prompt else None,
        "select": [list(span) for span in options.select], "seed": seed, "jacobian": jacobian.path,
        "snr_db": snr_db, "iterations": list(components.iterations), "angle": [round(a, 4) for a in components.angle],
        "eigenvalues": [[round(float(v), 6) for v in row] for row in components.eigenvalues],
        "scale": "table" if search.table else "clip"})


def _directions(search: Search, found: Components, at: list[int], snr_db: Sequence[float], card: dict) -> Directions:
    wanted = [at.index(i) for i in search.at]
    vectors = align_signs(found.vectors[wanted])
    curve, curve_db = found.eigenvalues, tuple(snr_db)
    if search.table:
        curve_db = search.table.snr_db
        curve = torch.tensor(search.table.eigenvalues)[:, : search.n]
    return Directions(vectors, tuple(snr_db[i] for i in wanted), curve, curve_db, search.per_step, card)


def _spread(levels: Sequence[int]) -> tuple[int, ...]:
    """At most CURVE_LEVELS of the levels, both ends among them."""
    if len(levels) <= CURVE_LEVELS:
        return tuple(levels)
    step = (len(levels) - 1) / (CURVE_LEVELS - 1)
    return tuple(levels[round(k * step)] for k in range(CURVE_LEVELS))
