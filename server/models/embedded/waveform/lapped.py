"""A stereo codec in closed form: lines of an MDCT below, levels of noise bands above. What `oobleck` writes into a network.

Everything here is a convolution, a sine or a square, because an Oobleck autoencoder has nothing else.

The level of a band is read from a ruler of sines: for Gaussian x of deviation s the mean of sin(a x)^2 is
(1 - exp(-2 a^2 s^2)) / 2, a step that goes up where s passes 1 / 2a; a sum of such steps, their a in equal ratios, grows
with log s. So that a click counts as what it is over the frame, and not only where it is, x is first spread over some
milliseconds by a filter of random signs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .companding import compressed
from .shape import (
    FINE,
    HOP,
    LINE_HOP,
    LOUDEST_DB,
    MID_BANDS,
    MID_LINES,
    N_BANDS,
    N_LINES,
    SIDE_BANDS,
    SIDE_LINES,
    SOFTEST_DB,
    STEPS,
)

SPREAD, SPREAD_DILATION = 7, 3  # taps of the spreading filter, and the fine frames between them
FILTER_FRAMES = 7  # fine frames that a band filter hears


def mdct_basis(n: int) -> Tensor:
    """Sine-windowed MDCT `[n lines, 2n samples]`: analysis, and with overlap-add synthesis (Princen and Bradley 1986)."""
    sample = torch.arange(2 * n, dtype=torch.float64)
    line = torch.arange(n, dtype=torch.float64)[:, None]
    window = torch.sin(math.pi / (2 * n) * (sample + 0.5))
    return ((2 / n) ** 0.5 * window * torch.cos(math.pi / n * (sample + 0.5 + n / 2) * (line + 0.5))).float()


def band_filters() -> Tensor:
    """Filters of the sixteen bands of 1 kHz, of unit energy `[16, 112 samples]`, whose every 16th answer is a coefficient.

    As wide as the bands of a short MDCT, by which noise is made again, but with far less leakage: a loud bass is no hiss.
    """
    n = FILTER_FRAMES * FINE
    sample = torch.arange(n, dtype=torch.float64) - (n - 1) / 2
    window = torch.kaiser_window(n, periodic=False, beta=7.0, dtype=torch.float64)
    centre = (torch.arange(FINE, dtype=torch.float64)[:, None] + 0.5) * math.pi / FINE
    prototype = window * torch.sinc(sample / (2 * FINE))
    filters = prototype * torch.cos(centre * sample + math.pi / 4)
    return (filters / filters.norm(dim=1, keepdim=True)).float()


def ruler() -> Tensor:
    """The factors a of the level's steps `[STEPS]`: 1 / 2a in equal ratios from the softest to the loudest level."""
    levels = 10 ** (torch.linspace(SOFTEST_DB, LOUDEST_DB, STEPS) / 20)
    return 1 / (2 * levels)


def reading(deviation: Tensor) -> Tensor:
    """What the ruler shows for Gaussian coefficients of a deviation, 0 to STEPS / 2; any shape."""
    return (1 - torch.exp(-2 * (ruler() * deviation[..., None]) ** 2)).sum(-1) / 2


def deviation_of(shown: Tensor) -> Tensor:
    """The inverse of `reading`, by interpolation; 0 where it shows nothing, at most the loudest level and a little."""
    levels = 10 ** (torch.linspace(SOFTEST_DB - 20, LOUDEST_DB + 4, 2000) / 20)
    shown_at = reading(levels)
    place = torch.searchsorted(shown_at, shown.contiguous().clamp(shown_at[0], shown_at[-1])).clamp(1, len(levels) - 1)
    low, high = shown_at[place - 1], shown_at[place]
    share = ((shown - low) / (high - low)).clamp(0, 1)
    return torch.lerp(levels[place - 1], levels[place], share) * (shown > shown_at[0])


def spreading_filters() -> Tensor:
    """Random signs under a window, for each step of each group: `[groups, STEPS, 16 bands, 7 taps]`.

    Bands outside a group are 0. Of unit energy over the group's bands: several bands count as their mean.
    """
    generator = torch.Generator().manual_seed(11)
    window = torch.hann_window(SPREAD + 2, periodic=False)[1:-1].sqrt()
    filters = torch.zeros(N_BANDS, STEPS, FINE, SPREAD)
    for group, bands in enumerate(MID_BANDS + SIDE_BANDS):
        signs = torch.randint(0, 2, (STEPS, len(bands), SPREAD), generator=generator) * 2.0 - 1
        filters[group][:, list(bands)] = signs * window / (window.square().sum() * len(bands)).sqrt()
    return filters


def level_window() -> Tensor:
    """Weights of the fine frames that a frame of lines covers `[32]`, sum 1."""
    return torch.hann_window(2 * FINE) / FINE


PAIR_WINDOW = (0.125, 0.375, 0.375, 0.125)  # of the frames of lines that a latent frame's levels are the mean of


@dataclass(frozen=True)
class Lapped:
    """The codec: `scale` and `middle` `[84]` bring every channel to mean 0 and deviation 1 over the training sounds."""

    middle: Tensor
    scale: Tensor

    def encode(self, audio: Tensor) -> Tensor:
        """Latents `[batch, 84, frames]` of audio `[batch, 2, 512 frames]`: what the network's encoder answers, but fast."""
        return (raw_latents(audio) - self.middle[:, None]) / self.scale[:, None]

    def paired(self) -> Lapped:
        """With the same numbers for a line's two frames, and lines without a mean: silence is 0."""
        lines = self.scale[:2 * N_LINES].unflatten(0, (2, N_LINES)).square().mean(0).sqrt().repeat(2)
        return Lapped(torch.cat([torch.zeros_like(lines), self.middle[2 * N_LINES:]]),
                      torch.cat([lines, self.scale[2 * N_LINES:]]))

    def to(self, device: torch.device | str) -> Lapped:
        """The same on a device."""
        return Lapped(self.middle.to(device), self.scale.to(device))


def raw_latents(audio: Tensor) -> Tensor:
    """Lines and levels `[batch, 84, frames]` before they are scaled, of audio `[batch, 2, 512 frames]`."""
    assert audio.shape[1] == 2 and audio.shape[2] % HOP == 0, "stereo, whole frames"
    mid_side = torch.stack([audio[:, 0] + audio[:, 1], audio[:, 0] - audio[:, 1]], 1) / 2
    framed = F.pad(mid_side, (LINE_HOP // 2, LINE_HOP // 2)).unfold(2, 2 * LINE_HOP, LINE_HOP)
    basis = mdct_basis(LINE_HOP).to(audio.device)
    lines = torch.cat([framed[:, 0] @ basis[:MID_LINES].T, framed[:, 1] @ basis[:SIDE_LINES].T], 2)
    return torch.cat([compressed(lines).unflatten(1, (-1, 2)).flatten(2), _levels(mid_side)], 2).transpose(1, 2)


def _levels(mid_side: Tensor) -> Tensor:
    """What the ruler shows for each group of bands `[batch, frames, groups]`."""
    around = FILTER_FRAMES // 2 * FINE
    fine = F.pad(mid_side, (around, around)).unfold(2, FILTER_FRAMES * FINE, FINE) @ band_filters().T.to(mid_side.device)
    n_mid = len(MID_BANDS)
    filters, steps = spreading_filters().to(fine), ruler().to(fine)
    window, shown = level_window().to(fine), []
    for part, bank in ((0, filters[:n_mid]), (1, filters[n_mid:])):
        spread = F.conv1d(fine[:, part].transpose(1, 2), bank.flatten(0, 1), padding=SPREAD // 2 * SPREAD_DILATION,
                          dilation=SPREAD_DILATION)
        steps_up = torch.sin(spread * steps.repeat(len(bank))[:, None]).square()
        summed = steps_up.unflatten(1, (len(bank), STEPS)).sum(2)
        frames = F.pad(summed, (FINE // 2, FINE // 2)).unfold(2, 2 * FINE, FINE) @ window
        shown.append(F.pad(frames, (1, 1)).unfold(2, 4, 2) @ torch.tensor(PAIR_WINDOW, device=frames.device))
    return torch.cat(shown, 1).transpose(1, 2)
