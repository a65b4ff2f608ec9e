"""Inversion: from a clip's latents to states of a trajectory that leads back to them.

Two kinds. Constant-output inversion (Abstract Sound Fusion, eq. 3 and 5) puts x0 in the place of the model's output in
the sampling step and solves for the noisier state. Repeated from level 0 it collapses: with delta_t = x_t - alpha_t x0,

    eq. 5 (ode):  delta_t/sigma_t = delta_0/sigma_0                             the noise map stays as it is
    eq. 3 (sde):  delta_t/sigma_t = (delta_0/sigma_0) e^{lambda_0 - lambda_t}   the noise map grows

so every mode is `x_t = alpha_t x0 + sigma_t k_t e` in closed form, without a network call. Level 0 is the cleanest
level with sigma > 0, as the step away from sigma 0 is 0/0.

Edit-friendly inversion (Huberman-Spiegelglas et al.; Manor and Michaeli, eq. 3 and 4) draws x_t = alpha_t x0 + sigma_t e_t
with fresh e_t at every level, and solves the step, of whatever solver and order, for the noise that leads from one to the
next.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from server.errors import InvalidOption
from server.sampling.levels import Levels
from server.sampling.noise import GivenNoise, KeyedNoise
from server.sampling.solve import Denoise, OnStep, State, StepEvent, ignore, mean
from server.sampling.step import Form, Solver, coefficients

Mode = Literal["clean", "shared_noise", "literal", "forward", "noisy", "noisy_single"]


def noise_scale(levels: Levels, index: int, mode: Mode) -> float:
    """k_t of a mode at level `index`, in `x_t = alpha_t x0 + sigma_t k_t e` (variance-preserving coordinates).

    mode          paper, section 3.2 and 4.1.1               k_t                             e
    clean         (a), eq. 3 or 5 from x0 where alpha = 1    0
    shared_noise  eq. 5 from a noised start                  1                               one for all levels
    literal       eq. 3 from x0 where alpha^2 + sigma^2 = 1  e^{lam_0 - lam_t}               (1 - alpha_0) x0/sigma_0
    forward       (b), forward diffusion                     1                               fresh at each level
    noisy         (c), eq. 3 with its random term, recursed  sqrt(e^{2(lam_0 - lam_t)} - 1)  fresh at each level
    noisy_single  (c), the random term of one step alone     sqrt(e^{2h} - 1)                fresh at each level

    h = lam_{t-1} - lam_t leads to the next cleaner level. (c) recursed: k_t^2 + 1 = e^{2h}(k_{t-1}^2 + 1), k_0 = 0. At
    level 0 the recursions have not begun: k is 0 for both noisy modes and 1 for the literal start x_0 = x0.

    Raises:
        InvalidOption: a mode that does not exist.
    """
    if mode not in get_args(Mode):
        raise InvalidOption(f"inversion is {mode!r}; it can be {', '.join(get_args(Mode))}.")
    if mode in ("clean", "shared_noise", "forward"):
        return 0.0 if mode == "clean" else 1.0
    lam, start = levels.lam, _first_level(levels)
    rise = float(lam[start] - lam[index])
    if mode == "literal":
        return math.exp(rise)
    if index >= start:
        return 0.0
    h = rise if mode == "noisy" else float(lam[index + 1] - lam[index])
    return math.sqrt(math.expm1(2.0 * h))


def constant_inversion(x0: Tensor, levels: Levels, index: int, mode: Mode, noise: KeyedNoise) -> Tensor:
    """The state at level `index` from which a sampler with constant output `x0` comes; modes as in `noise_scale`.

    Args:
        x0: latents [batch, ...].
        noise: keys e by (seed, item); its own stream is left alone.

    Returns:
        [batch, ...] on x0's device; at sigma 0, x0 itself in every mode.
    """
    alpha, sigma = float(levels.alpha[index]), float(levels.sigma[index])
    scale = sigma * noise_scale(levels, index, mode)
    if not scale:
        return alpha * x0
    if mode == "literal":
        start = _first_level(levels)
        return (alpha + scale * (1.0 - float(levels.alpha[start])) / float(levels.sigma[start])) * x0
    step = 0 if mode == "shared_noise" else index
    e = noise.stream("shared inversion" if mode == "shared_noise" else "inversion")(step, tuple(x0.shape[1:]))
    return alpha * x0 + scale * e.to(x0)


def _first_level(levels: Levels) -> int:
    """Index of level 0 of the papers' recursions: the cleanest that still has noise."""
    return levels.n_steps if float(levels.sigma[-1]) > 0.0 else levels.n_steps - 1


@dataclass(frozen=True, eq=False)
class Trajectory:
    """An edit-friendly inversion: the levels of a schedule from `start` on, and the network's answers on the way.

    x: states [n + 1, batch, ...] at levels start to start + n; x0hat: the answers at the first n of them, [n, batch, ...].
    Neither depends on the sampler that will go along it; the noise that leads it does (`noise`).
    """

    start: int
    x: Tensor
    x0hat: Tensor
    levels: Levels

    @property
    def stop(self) -> int:
        """The last level."""
        return self.start + len(self.x0hat)

    @property
    def n_bytes(self) -> int:
        """What its tensors take."""
        return self.x.nbytes + self.x0hat.nbytes

    def state(self, index: int) -> State:
        """The trajectory at level `index`, with what a solver of any order remembers there."""
        place = self._place(index, len(self.x))
        earlier = range(place - 1, max(place - 3, -1), -1)
        return State(self.x[place], index, tuple((float(self.levels.lam[self.start + i]), self.x0hat[i]) for i in earlier))

    def estimate(self, index: int) -> Tensor:
        """The network's x0hat at level `index`, [batch, ...]."""
        return self.x0hat[self._place(index, len(self.x0hat))]

    def noise(self, keep_last: bool = True, *, solver: Solver = "sde", order: int = 1,
              form: Form = "midpoint") -> GivenNoise:
        """The noise that replays this trajectory, from any of its levels, with `solve(..., solver, order, form)`.

        z = (x_s - A x_t - B x0hat)/S, eq. 4, with the extrapolated x0hat where the order is above 1; the first step has
        nothing to extrapolate from and is of order 1, as a solver's is. Where a step has no noise to scale (S = 0: to
        sigma 0, and every step of the ode) what is left over, x_s - A x_t - B x0hat, is added as it is.

        keep_last: whether the schedule's last step gets its term. With it the same prompt gives x0 back; without it, as
            in the published code, the last step returns its mean.
        """
        z, residual = {}, {}
        for i in range(self.start, self.stop):
            scale = coefficients(self.levels, i, solver).S
            expected = mean(self.state(i), self.estimate(i), self.levels, solver=solver, order=order, form=form)
            left = self.x[i + 1 - self.start] - expected
            if i == self.levels.n_steps - 1 and not keep_last:
                z[i] = torch.zeros_like(left)
            elif scale:
                z[i] = left / scale
            else:
                residual[i] = left
        return GivenNoise(z, residual)

    def since(self, start: int) -> Trajectory:
        """What an inversion from level `start` on would have given: the rest of this one, without a past."""
        place = self._place(start, len(self.x))
        return Trajectory(start, self.x[place:], self.x0hat[place:], self.levels)

    def after(self, noisier: Trajectory) -> Trajectory:
        """This trajectory with the one that leads to its start put before it."""
        if noisier.stop != self.start:
            raise ValueError(f"a trajectory to level {noisier.stop} does not lead to level {self.start}")
        return Trajectory(noisier.start, torch.cat([noisier.x[:-1], self.x]), torch.cat([noisier.x0hat, self.x0hat]),
                          self.levels)

    def to(self, device: torch.device | str) -> Trajectory:
        """The same on another device."""
        return Trajectory(self.start, self.x.to(device), self.x0hat.to(device), self.levels)

    def _place(self, index: int, n: int) -> int:
        if not self.start <= index < self.start + n:
            raise ValueError(f"level {index} is not among the inverted ones, {self.start} to {self.start + n - 1}")
        return index - self.start


@torch.no_grad()
def edit_friendly(
    x0: Tensor,
    denoise: Denoise,
    levels: Levels,
    steps: range,
    noise: KeyedNoise,
    *,
    batch: int = 8,
    on_step: OnStep = ignore,
    phase: str = "invert",
) -> Trajectory:
    """Invert `x0` over `steps` of the schedule, the only ones evaluated.

    Every state is known before any evaluation, so the network sees `batch` levels at a time.

    Args:
        x0: latents [items, ...].
        denoise: takes states of several levels one after the other, [levels x items, ...] with one Level per row
            (`guide.guided` does).
        steps: consecutive steps, noisiest first; `range(start, levels.n_steps)` for all from `start` on.
        noise: keys e_t by (seed, item, level).
        batch: most levels per evaluation; the result does not depend on it but for the network's own rounding.
        on_step: called before each evaluation with its first level.

    Raises:
        ValueError: `steps` is empty, has gaps or leaves the schedule.
    """
    if not (len(steps) and steps.step == 1 and 0 <= steps.start and steps.stop <= levels.n_steps):
        raise ValueError(f"steps {steps} are not consecutive steps of a schedule of {levels.n_steps}")
    if batch < 1:
        raise ValueError(f"batch is {batch}; it must be 1 or more")
    x = _noised(x0, levels, range(steps.start, steps.stop + 1), noise.stream("edit-friendly"))
    snr_db = levels.snr_db.tolist()
    answers = []
    for first in range(0, len(steps), batch):
        chunk = steps[first : first + batch]
        on_step(StepEvent(chunk.start, levels.n_steps, phase, snr_db[chunk.start]))
        rows = [i for i in chunk for _ in range(len(x0))]
        together = x[first : first + len(chunk)]
        answers.append(denoise(together.flatten(0, 1), levels.at(rows)).reshape(together.shape))
    return Trajectory(steps.start, x, torch.cat(answers), levels)


def _noised(x0: Tensor, levels: Levels, at: Sequence[int], noise: KeyedNoise) -> Tensor:
    """Independent forward noisings of x0 at each level, [levels, items, ...].

    Where sampling ends the state is x0 itself, even if the schedule stops short of sigma 0: it is what is decoded.
    """
    states = []
    for i in at:
        if i == levels.n_steps:
            states.append(x0)
        else:
            e = noise(i, tuple(x0.shape[1:])).to(x0)
            states.append(float(levels.alpha[i]) * x0 + float(levels.sigma[i]) * e)
    return torch.stack(states)

