# SPDX-License-Identifier: GPL-3.0-or-later
"""Do principal components say more than random directions? The editing paper's appendix E, made measurable.

Held-out clips are moved along their three strongest directions and along random ones, all injected with the same norm
at every level: how far have the latents moved at the end? A direction that the model holds possible is taken up and
carried on; a random one is noise, which it removes. Then random directions are made stronger until they change as much,
and both sets of varied clips are held against other held-out sounds by a Frechet distance (in the embedding of the bench):
at equal change, which still sounds like sound?
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip
from server.kinds import parse_options
from server.measure.bench import Bench, Finding
from server.measure.eigenvalues import STREAM
from server.measure.embedding import embed
from server.measure.fad import frechet_distance, halves
from server.measure.held_out import Sound
from server.methods.count import Counter
from server.methods.directions_file import Directions
from server.methods.find_directions import RANGE_DB, find, moved_levels, search
from server.methods.fitting import fit, repeat_to
from server.methods.heard import heard
from server.methods.invert_clip import Inversion, invert_clip
from server.methods.vary import Move, Vary
from server.models.eigenvalues import shipped_table
from server.sampling.invert import Trajectory
from server.sampling.noise import KeyedNoise

N = 3  # principal components, as in the paper
_ROUNDS, _NEAR = 4, 0.05
"""How often random directions are rendered to change as much as found ones, and how near is near enough."""


@dataclass(frozen=True)
class Plan:
    """What is varied: clips, seconds of each, sampler steps, gamma; random: directions that stand against the three of each
    clip; matched: how many of those are brought to equal change and listened to; others: sounds that both sets are held
    against."""

    clips: int = 10
    seconds: float = 3.0
    steps: int = 25
    gamma: float = 2.0
    random: int = 20
    matched: int = 6
    others: int = 150


def measure(bench: Bench, plan: Plan | None = None) -> dict:
    """Changes of every clip, their ratios, and the Frechet distances at equal change.

    Raises:
        NotMeasured: there are no held-out sounds, or the model does not render clips that long.
    """
    plan = plan or Plan()
    bench.need_seconds(plan.seconds)
    sounds = bench.need_held_out().mixed(plan.clips, bench.seed, STREAM)
    rows, found, random = [], [], []
    for number, sound in enumerate(sounds):
        bench.report(number, len(sounds), sound.class_name)
        row, ours, theirs = _clip(bench, plan, sound)
        rows.append(row)
        found.append(ours)
        random.append(theirs)
    real = embed(bench.frechet_in, (_cut(bench, sound, plan) for sound in others(bench, sounds, plan.others)))
    frechet = {"embedding": bench.frechet_in.name, "found": round(frechet_distance(np.concatenate(found), real), 4),
               "random": round(frechet_distance(np.concatenate(random), real), 4), "halves": round(halves(real), 4),
               "clips": sum(map(len, found)), "against": len(real)}
    ratios = [np.mean(row["found"]) / np.mean(row["random"]) for row in rows]
    return {"ratio": round(float(np.median(ratios)), 3), "ratio_first": round(float(np.median(
                [row["found"][0] / np.mean(row["random"]) for row in rows])), 3),
            "more": sum(bool(ratio > 1.0) for ratio in ratios), "frechet": frechet, "plan": asdict(plan), "clips": rows}


def others(bench: Bench, sounds: Sequence[Sound], count: int) -> list[Sound]:
    """About `count` held-out sounds that are not among `sounds`."""
    chosen = {sound.path for sound in sounds}
    further = bench.need_held_out().mixed(count + len(sounds), bench.seed + 1, STREAM)
    return [sound for sound in further if sound.path not in chosen]


def _clip(bench: Bench, plan: Plan, sound: Sound) -> tuple[dict, np.ndarray, np.ndarray]:
    """One clip's changes, and the embeddings of its variations along found and along random directions."""
    vary, trajectory, directions, moved = _prepared(bench, plan, _cut(bench, sound, plan))
    pairs = [Move(f"{i}{sign}", tuple(sign * plan.gamma * float(k == i) for k in range(N)))
             for i in range(N) for sign in (1, -1)]
    ours = _moved(vary, pairs, directions, trajectory, moved)
    change = _changes(ours, trajectory)
    by_direction = [float(np.mean(change[2 * i : 2 * i + 2])) for i in range(N)]
    noise = _random(directions, plan.random, bench.seed)
    singles = [_single(k, plan.random, plan.gamma) for k in range(plan.random)]
    theirs = _changes(_moved(vary, singles, noise, trajectory, moved), trajectory)

    def stronger(gammas: Sequence[float]) -> Tensor:
        return _moved(vary, [_single(k, plan.random, gamma) for k, gamma in enumerate(gammas)], noise, trajectory, moved)

    matched = _matched(stronger, trajectory, plan.gamma, theirs[: plan.matched], float(np.mean(change)))
    row = {"clip": f"{sound.class_name}: {sound.path.name}", "found": [round(c, 4) for c in by_direction],
           "random": [round(c, 4) for c in theirs], "matched": [round(c, 4) for c in _changes(matched, trajectory)]}
    return row, _embedded(bench, vary, ours), _embedded(bench, vary, matched)


def _matched(render: Callable[[Sequence[float]], Tensor], trajectory: Trajectory, gamma: float, changes: Sequence[float],
             target: float) -> Tensor:
    """Latents that have changed by about `target`, from directions that change by `changes` at `gamma`.

    The change does not grow evenly with gamma, so each is corrected by the power law through its last two points.
    """
    before = [(gamma, change) for change in changes]
    gammas = [gamma * target / change for change in changes]
    for left in reversed(range(_ROUNDS)):
        latents = render(gammas)
        now = list(zip(gammas, _changes(latents, trajectory), strict=True))
        if left == 0 or max(abs(change / target - 1.0) for _, change in now) < _NEAR:
            break
        powers = [np.log(c2 / c1) / np.log(g2 / g1) if g1 != g2 else 1.0
                  for (g1, c1), (g2, c2) in zip(before, now, strict=True)]
        gammas = [float(g * (target / c) ** (1.0 / np.clip(power, 0.3, 3.0)))
                  for (g, c), power in zip(now, powers, strict=True)]
        before = now
    return latents


def _prepared(bench: Bench, plan: Plan, clip: Clip) -> tuple[Vary, Trajectory, Directions, tuple[int, ...]]:
    backbone, context = bench.backbone, bench.studio.context({"clip": clip})
    options = parse_options("vary", {"steps": plan.steps, "directions": N})
    fitted, levels = fit(clip, backbone, "the clip"), backbone.levels(plan.steps, "even")
    vary = Vary(backbone, options, levels, fitted, (), Counter(context))
    wanted = search(options, vary.levels, N, shipped_table(backbone.facts), None)
    moved = moved_levels(RANGE_DB, vary.levels)
    inversion = Inversion(plan.steps, "even", bench.seed)
    trajectory = invert_clip(vary.clip, backbone, inversion, min(moved[0], wanted.levels[0]), context, vary.count)
    found = find(wanted, backbone, vary.clip, trajectory, options, bench.seed, vary.count)
    return vary, trajectory, _equal(found, N), moved


def _equal(directions: Directions, n: int) -> Directions:
    """The directions, all with the first one's eigenvalues, so that every one is injected with the same norm."""
    curve = directions.curve[:, :1].expand(-1, n)
    return Directions(directions.vectors, directions.snr_db, curve, directions.curve_db, False)


def _random(directions: Directions, n: int, seed: int) -> Directions:
    """`n` random unit directions with the same eigenvalues."""
    shape = tuple(directions.vectors.shape[2:])
    drawn_ = KeyedNoise(seed, range(n), "random directions")(0, shape)
    vectors = drawn_ / drawn_.flatten(1).norm(dim=1).reshape(-1, *[1] * len(shape))
    curve = directions.curve[:, :1].expand(-1, n)
    return Directions(vectors[None], directions.snr_db, curve, directions.curve_db, False)


def _single(k: int, n: int, gamma: float) -> Move:
    return Move(str(k), tuple(gamma * float(i == k) for i in range(n)))


def _moved(vary: Vary, moves: Sequence[Move], directions: Directions, trajectory: Trajectory,
           moved: tuple[int, ...]) -> Tensor:
    return torch.cat([vary.latents(group, directions, trajectory, moved) for group in vary.groups(moves)])


def _changes(latents: Tensor, trajectory: Trajectory) -> list[float]:
    """Norm of each one's change over the norm of the clip's latents."""
    own = trajectory.x[-1]
    return ((latents - own).flatten(1).norm(dim=1) / own.norm()).tolist()


def _embedded(bench: Bench, vary: Vary, latents: Tensor) -> np.ndarray:
    return embed(bench.frechet_in, (heard(x[None], vary.clip, vary.backbone, (), raw_level=True) for x in latents))


def _cut(bench: Bench, sound: Sound, plan: Plan) -> Clip:
    rate = bench.backbone.facts.sample_rate
    return repeat_to(sound.clip(rate), round(plan.seconds * rate))


def findings(figures: dict) -> list[Finding]:
    """Two rows of the table of aims."""
    n, frechet = len(figures["clips"]), figures["frechet"]
    return [Finding(f"vary, {n} clips: {N} directions against {figures['plan']['random']} random ones",
                    "more change of the latents per injected norm",
                    f"median {figures['ratio']:.2f} times (the first direction {figures['ratio_first']:.2f}); more in "
                    f"{figures['more']} of {n} clips", figures["ratio"] > 1.0),
            Finding(f"vary, Frechet distance in {frechet['embedding']} at equal change", "lower than of random directions",
                    f"{frechet['found']:.3f} against {frechet['random']:.3f} ({frechet['clips']} varied clips each, to "
                    f"{frechet['against']} sounds; two halves of those: {frechet['halves']:.3f})",
                    frechet["found"] < frechet["random"])]


def lines(figures: dict) -> list[str]:
    """A table, one row per clip: change over the latents' own norm."""
    made = [f"Change of the latents, over their norm, at gamma {figures['plan']['gamma']:g}; matched: random directions "
            "made stronger until they change as much.", "",
            "| clip | 1st | 2nd | 3rd | random, mean | random, largest | matched, mean |", "|---|---|---|---|---|---|---|"]
    return made + [f"| {row['clip']} | " + " | ".join(f"{c:.3f}" for c in row["found"])
                   + f" | {np.mean(row['random']):.3f} | {max(row['random']):.3f} | {np.mean(row['matched']):.3f} |"
                   for row in figures["clips"]]
