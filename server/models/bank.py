# SPDX-License-Identifier: GPL-3.0-or-later
"""The exact denoiser of sounds that are put together, frame by frame, from the patches of a bank. No training.

Let every frame of x0 with its neighbours be one of the bank's windows, whatever the frames further off are. Then what a
state x = alpha x0 + sigma e says of x0 around frame t is the mean of the windows under the posterior

    log p(window b | x) = log prior(b) - |x[t-w..t+w] - alpha b|^2 / (2 sigma^2) + const

(Kamb & Ganguli 2025, "An analytic theory of creativity in convolutional diffusion models", arXiv:2412.20292: their local
score machine, here free to move in time alone). A frame's answer is the mean of what the windows whose middle is no further
off than `reach` say of it. With reach 0, as there, sounds jump twice as much from frame to frame as real ones do; where all
windows that cover the frame are heard, they are blurred.

A window reaches as far as the state does: at its ends it has fewer frames, and only windows that lie wholly inside their
clip take part. The distance of two windows is the sum of those of their frames, so the frames are compared once, whatever
the width, and summed along diagonals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 1 << 20
"""Comparisons of a frame with a frame that are worked on at once; in all, one number is held for each."""

NEIGHBOURS = 4  # frames on either side over which the power of what is new is measured


def posterior_mean(x: Tensor, bank: Tensor, log_prior: Tensor, alpha: Tensor, sigma: Tensor, half_width: int,
                   reach: int = 0) -> Tensor:
    """x0 of one state, [frames, width]; differentiable in `x`.

    Args:
        x: the state, [frames, width].
        bank: clips, [clips, length, width].
        log_prior: of each clip, [clips], shared evenly by its windows; -inf leaves a clip out, one at least must stay.
        alpha, sigma: factors of the level, scalars above 0.
        half_width: frames on either side of a window's middle; narrowed where a clip has no room for it (`widest`).
        reach: how many frames from its middle a window is heard, at most the half-width.
    """
    frames, length = len(x), bank.shape[1]
    half_width = min(half_width, widest(frames, length))
    reach = min(reach, half_width)
    shut = _shut(frames, length, half_width, x.device)
    parts = _chunks(bank, log_prior, frames)
    scores = [_scores(x, bank[part], alpha, sigma, half_width) + log_prior[part, None, None] + shut for part in parts]
    whole = torch.stack([score.logsumexp((0, 1)) for score in scores]).logsumexp(0)  # [frames]
    total = torch.zeros_like(x)
    for part, score in zip(parts, scores, strict=True):
        shares = diagonal_sums((score - whole).exp(), reach)  # of each place of each clip in each frame
        total = total + shares.flatten(0, 1).T @ bank[part].flatten(0, 1)
    return total / _within(frames, reach, x)[:, None]


def with_novelty(x: Tensor, x0hat: Tensor, alpha: Tensor, sigma: Tensor, slack: float, scales: Sequence[int]) -> Tensor:
    """`x0hat` [frames, width] with the part of the state that neither the bank nor noise explains, shrunk by its chance.

    What x / alpha has beyond `x0hat` is averaged over 2 s + 1 frames for each s of `scales`, coarse first, and each average
    leaves the rest to the next. Where it has more power, over neighbouring frames, than `slack` times the noise's there,
    the excess is taken for signal that the bank does not have, and as much of the average is kept as a Wiener filter would
    (James & Stein's positive part). So of a sound that is not of the bank first its colour passes as the noise fades, then
    its movement, then all of it; a sound of the bank comes back as the bank has it.
    """
    left = x / alpha - x0hat
    for scale in scales:
        part = _smooth(left, scale)
        power = _smooth(part.square().mean(1, keepdim=True), NEIGHBOURS).clamp(min=1e-12)
        noise = (sigma / alpha) ** 2 / _within(len(x), scale, x)[:, None]
        x0hat = x0hat + (1 - slack * noise / power).clamp(min=0) * part
        left = left - part
    return x0hat


def _smooth(frames: Tensor, reach: int) -> Tensor:
    """Means of [frames, width] over as many frames within `reach` as there are."""
    sums = F.conv1d(frames.T[:, None], frames.new_ones(1, 1, 2 * reach + 1), padding=reach)[:, 0].T
    return sums / _within(len(frames), reach, frames)[:, None]


def _within(frames: int, reach: int, like: Tensor) -> Tensor:
    """How many of a state's frames are no further than `reach` from each: [frames]."""
    t = torch.arange(frames, device=like.device, dtype=like.dtype)
    return 1 + t.clamp(max=reach) + (frames - 1 - t).clamp(max=reach)


def widest(frames: int, length: int) -> int:
    """Largest half-width at which every frame of a state of `frames` finds a window in clips of `length` frames."""
    return frames - 1 if frames <= length else (length - 1) // 2


def _chunks(bank: Tensor, log_prior: Tensor, frames: int) -> Sequence[Tensor]:
    """Indices of the clips that take part, as many at a time as CHUNK allows."""
    return torch.isfinite(log_prior).nonzero()[:, 0].split(max(1, CHUNK // (frames * bank.shape[1])))


def _scores(x: Tensor, clips: Tensor, alpha: Tensor, sigma: Tensor, half_width: int) -> Tensor:
    """-|window of x - alpha window of a clip|^2 / (2 sigma^2) but for what depends on x alone: [clips, length, frames]."""
    size = clips.square().sum(-1, keepdim=True)
    near = (alpha * (clips @ x.T) - 0.5 * alpha**2 * size) / sigma**2
    return diagonal_sums(near, half_width)


def diagonal_sums(values: Tensor, reach: int) -> Tensor:
    """Of [..., rows, columns]: at (r, c) the sum of (r + k, c + k) for |k| <= reach; nothing is added beyond the edges.

    By sums over 1, 2, 4, ... steps, so that the cost grows with the logarithm of the reach.
    """
    if not reach:
        return values
    rows, columns = values.shape[-2:]
    run = F.pad(values, (reach, reach, reach, reach))
    left, start, size, total = 2 * reach + 1, 0, 1, None
    while True:
        if left & 1:
            part = run[..., start : start + rows, start : start + columns]
            total = part if total is None else total + part
            start += size
        left >>= 1
        if not left:
            return total
        run = run[..., :-size, :-size] + run[..., size:, size:]
        size *= 2


def _shut(frames: int, length: int, half_width: int, device: torch.device) -> Tensor:
    """0 where a clip has the window that a frame asks for, else -inf: [length, frames]."""
    t, s = torch.arange(frames, device=device), torch.arange(length, device=device)[:, None]
    before, after = t.clamp(max=half_width), (frames - 1 - t).clamp(max=half_width)
    inside = (s >= before) & (s + after < length)
    return torch.where(inside, 0.0, -math.inf)
