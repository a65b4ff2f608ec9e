"""Noise levels of a model's schedule, brought to one set of coordinates.

Every state is variance preserving, `x_t = alpha x0 + sigma e` with alpha^2 + sigma^2 = 1. A model that keeps its state
in EDM form (`x0 + s e`) is here with alpha = 1/sqrt(1 + s^2), sigma = s/sqrt(1 + s^2): the two states differ by the
factor alpha alone, and lambda = log(alpha/sigma) = -log s is the same number in both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from server.errors import InvalidOption

Spacing = Literal["leading", "trailing", "linspace"]


@dataclass(frozen=True, eq=False)
class Level:
    """What a network is evaluated at: one level (all []), or one per item (all [batch]); float64 on the CPU.

    alpha, sigma: signal and noise factors; time: what the network calls this level (its training step, or a number in
    0..1), nan for a level that is no input of the network.
    """

    alpha: Tensor
    sigma: Tensor
    time: Tensor

    @property
    def edm_sigma(self) -> Tensor:
        """The same level's noise deviation where the signal factor is 1: sigma/alpha."""
        return self.sigma / self.alpha

    def factors(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(alpha, sigma) shaped to multiply `x` [batch, ...], in its dtype and on its device."""
        shape = (-1, *[1] * (x.ndim - 1))
        # Cast before moving: some devices have no float64 at all.
        return tuple(v.reshape(shape).to(x.dtype).to(x.device) for v in (self.alpha, self.sigma))

    def times(self, batch: int) -> Tensor:
        """The network's time for each of `batch` items, [batch] float64."""
        return self.time.expand(batch) if self.time.ndim == 0 else self.time

    def rows(self, index: Sequence[int]) -> Level:
        """The levels of the items `index`, in that order; a level shared by all items stays shared."""
        if self.alpha.ndim == 0:
            return self
        chosen = torch.as_tensor(index, dtype=torch.long)
        return Level(self.alpha[chosen], self.sigma[chosen], self.time[chosen])


@dataclass(frozen=True, eq=False)
class Levels:
    """A schedule: alpha, sigma and time, each [n_steps + 1] float64 on the CPU, noisiest first.

    Step i leads from level i to level i + 1, so levels 0..n_steps - 1 are evaluated and the last is where sampling
    ends. There sigma may be 0 (lambda and SNR are then +inf).
    """

    alpha: Tensor
    sigma: Tensor
    time: Tensor

    def __post_init__(self) -> None:
        tensors = (self.alpha, self.sigma, self.time)
        assert all(v.dtype == torch.float64 and v.device.type == "cpu" and v.shape == self.alpha.shape for v in tensors)
        assert self.alpha.ndim == 1 and len(self.alpha) >= 2, "a schedule needs one step at least"
        assert bool((self.sigma[:-1] > 0).all()) and bool((self.sigma.diff() <= 0).all()), "noisiest level first"

    @property
    def n_steps(self) -> int:
        """How many steps, and how many levels the network is evaluated at."""
        return len(self.alpha) - 1

    @property
    def lam(self) -> Tensor:
        """lambda = log(alpha/sigma) of every level, [n_steps + 1]; +inf where sigma is 0."""
        return torch.log(self.alpha / self.sigma)

    @property
    def snr_db(self) -> Tensor:
        """20 log10(alpha/sigma) of every level, [n_steps + 1]; +inf where sigma is 0."""
        return self.lam * (20.0 / math.log(10.0))

    def at(self, index: int | Sequence[int]) -> Level:
        """The level with this index (scalars), or one level per index ([batch])."""
        chosen = index if isinstance(index, int) else torch.as_tensor(index, dtype=torch.long)
        return Level(self.alpha[chosen], self.sigma[chosen], self.time[chosen])

    def index_at_snr_db(self, snr_db: float) -> int:
        """Index of the evaluated level nearest to `snr_db`; beyond either end of the schedule, the end itself."""
        return int((self.snr_db[:-1] - snr_db).abs().argmin())


def scaled_linear_alphas_cumprod(beta_start: float, beta_end: float, n_train: int = 1000) -> Tensor:
    """Cumulative signal power [n_train] of betas whose square roots are evenly spaced (latent diffusion models)."""
    betas = torch.linspace(math.sqrt(beta_start), math.sqrt(beta_end), n_train, dtype=torch.float64) ** 2
    return torch.cumprod(1.0 - betas, dim=0)


def levels_from_alphas_cumprod(
    alphas_cumprod: Tensor,
    n_steps: int,
    spacing: Spacing = "leading",
    steps_offset: int = 1,
    final: Literal["first", "one"] = "first",
) -> Levels:
    """Levels of a discrete schedule, at the training steps that diffusers' DDIMScheduler picks.

    Args:
        alphas_cumprod: cumulative signal power of the training steps, cleanest first, [n_train].
        n_steps: sampling steps.
        spacing, steps_offset: as in the scheduler's config (`timestep_spacing`); the offset holds for "leading" alone.
        final: where sampling ends when a step further would be below training step 0: at that step's level ("first",
            `set_alpha_to_one` false) or at sigma 0 ("one").

    Raises:
        InvalidOption: `n_steps` asks for training steps that do not exist.
    """
    power = alphas_cumprod.detach().to("cpu", torch.float64)
    n_train = len(power)
    if not 1 <= n_steps <= n_train:
        raise InvalidOption(f"n_steps is {n_steps}; this model allows 1 to {n_train}.")
    picked = _training_steps(n_train, n_steps, spacing, steps_offset)
    if picked[0] >= n_train:
        raise InvalidOption(
            f"n_steps is {n_steps}; counted from training step {steps_offset} it needs step {picked[0]}, and this "
            f"model's last is {n_train - 1}. Ask for fewer steps."
        )
    last = picked[-1] - n_train // n_steps
    clean = last < 0 and final == "one"
    ending = torch.ones(1, dtype=torch.float64) if clean else power[max(last, 0)].reshape(1)
    power = torch.cat([power[torch.tensor(picked)], ending])
    time = torch.tensor([*picked, math.nan if clean else max(last, 0)], dtype=torch.float64)
    return Levels(power.sqrt(), (1.0 - power).sqrt(), time)


def _training_steps(n_train: int, n_steps: int, spacing: Spacing, steps_offset: int) -> list[int]:
    """Training steps to evaluate, noisiest first."""
    if spacing == "leading":
        ratio = n_train // n_steps
        return [i * ratio + steps_offset for i in reversed(range(n_steps))]
    if spacing == "trailing":
        return [round(n_train - i * n_train / n_steps) - 1 for i in range(n_steps)]
    if n_steps == 1:
        return [0]
    return [round(i * (n_train - 1) / (n_steps - 1)) for i in reversed(range(n_steps))]


def levels_even_in_snr(alphas_cumprod: Tensor, n_steps: int, lowest_snr_db: float = -24.0) -> Levels:
    """Levels of a discrete schedule evenly spaced in SNR, ending at sigma 0 as Stable Audio Open's do.

    The training steps that published code picks leave a last jump in lambda several times longer than the one before it:
    there the extrapolation of orders 2 and 3 overshoots. Times lie between training steps; sinusoidal embeddings take them.

    Args:
        alphas_cumprod: cumulative signal power of the training steps, cleanest first, [n_train].
        n_steps: sampling steps, from the noisiest level to the cleanest training step, then to sigma 0.
        lowest_snr_db: noisiest level. Starting from pure noise there leaves out 0.4 % of the power at -24 dB; below it, an
            error of the predicted noise weighs more than sixteen times as much in x0hat.

    Raises:
        InvalidOption: fewer than 2 steps.
    """
    if n_steps < 2:
        raise InvalidOption(f"n_steps is {n_steps}; it must be 2 or more.")
    power = alphas_cumprod.detach().to("cpu", torch.float64)
    table = 0.5 * torch.log(power / (1.0 - power))  # lambda of every training step, falling
    lowest = max(float(table[-1]), lowest_snr_db * math.log(10.0) / 20.0)
    lam = torch.linspace(lowest, float(table[0]), n_steps, dtype=torch.float64)
    end = torch.tensor([math.inf], dtype=torch.float64)
    lam_to_end = torch.cat([lam, end])
    time = torch.cat([_fractional_index(lam, table), torch.full_like(end, math.nan)])
    return Levels(torch.sigmoid(2.0 * lam_to_end).sqrt(), torch.sigmoid(-2.0 * lam_to_end).sqrt(), time)


def _fractional_index(values: Tensor, falling: Tensor) -> Tensor:
    """Where in the falling table [n] its linear interpolation takes each of `values`, as an index in 0..n - 1."""
    right = torch.searchsorted(-falling, -values).clamp(1, len(falling) - 1)
    left = right - 1
    return left + ((falling[left] - values) / (falling[left] - falling[right])).clamp(0.0, 1.0)


def log_linear_edm_sigmas(n_steps: int, sigma_max: float = 500.0, sigma_min: float = 0.3) -> Tensor:
    """EDM noise levels evenly spaced in their logarithm, then 0: [n_steps + 1].

    The defaults are Stable Audio Open's: diffusers' CosineDPMSolverMultistepScheduler, exponential sigmas.
    """
    if n_steps < 1:
        raise InvalidOption(f"n_steps is {n_steps}; it must be 1 or more.")
    logs = torch.linspace(math.log(sigma_max), math.log(sigma_min), n_steps, dtype=torch.float64)
    return torch.cat([logs.exp(), torch.zeros(1, dtype=torch.float64)])


def levels_from_edm_sigmas(sigmas: Tensor) -> Levels:
    """Levels of noise deviations `sigmas` [n_steps + 1] on a signal of factor 1, noisiest first, 0 allowed at the end.

    The network's time is t = 2/pi atan(sigma), in 0..1 (as in Stable Audio: alpha = cos(pi t/2), sigma = sin(pi t/2)).
    """
    s = sigmas.detach().to("cpu", torch.float64)
    scale = torch.sqrt(1.0 + s * s)
    return Levels(1.0 / scale, s / scale, torch.atan(s) * (2.0 / math.pi))


def vp_from_edm(x: Tensor, level: Level) -> Tensor:
    """The variance-preserving state of an EDM state `x0 + s e`: divided by sqrt(1 + s^2)."""
    return x * level.factors(x)[0]


def edm_from_vp(x: Tensor, level: Level) -> Tensor:
    """The EDM state `x0 + s e` of a variance-preserving state: times sqrt(1 + s^2)."""
    return x / level.factors(x)[0]
