"""Windows over a clip that is longer than what a network sees at once: where they lie, and how their answers are joined.

All windows have one length, the longest the network takes, and lie evenly from the first frame to the last, so every
place has as much context as there can be. Two neighbours share at least `overlap` frames. Within them one answer passes
into the other over the middle half; the outer quarters, where a window knows least of what lies beyond its edge, are the
other window's alone. So the weights sum to 1 at every frame, at most two windows are heard at any, and where one is, its
answer is left as it is to the bit.

At every step of a sampler only the estimate x0hat is made in windows: state and noise are one for the whole clip, the
affine step is taken once, and two windows find the same noise in a frame that they share. So there is no noise to average,
and its variance stays 1. (Noise is drawn for a whole latent at once, so a clip of another length has other noise.)
Everything here is differentiable, in forward mode too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

OVERLAP_SHARE = 0.25  # of a window: what two neighbours share at least


@dataclass(frozen=True)
class WindowPlan:
    """Where windows lie, in frames (or in samples, of a plan that was `scaled`).

    n_frames: of the whole clip; length: of each window; starts: of each, the first 0 and the last n_frames - length; fade:
    over how many frames one window passes into the next.
    """

    n_frames: int
    length: int
    starts: tuple[int, ...]
    fade: int

    @property
    def n_windows(self) -> int:
        """How many windows there are."""
        return len(self.starts)

    @property
    def fades(self) -> tuple[int, ...]:
        """First frame of the fade from each window to the next: in the middle of what the two share."""
        pairs = zip(self.starts, self.starts[1:], strict=False)
        return tuple(right + (left + self.length - right - self.fade) // 2 for left, right in pairs)

    def scaled(self, factor: int) -> WindowPlan:
        """The same plan where every frame is `factor` finer ones, such as samples or mel frames."""
        starts = tuple(start * factor for start in self.starts)
        return WindowPlan(self.n_frames * factor, self.length * factor, starts, self.fade * factor)


def plan_windows(n_frames: int, length: int, overlap: int | None = None) -> WindowPlan:
    """The fewest windows of `length` frames that cover `n_frames` and share `overlap` or more; one where all fits in it.

    Args:
        overlap: 1 to half of `length`; None is a quarter of it.

    Raises:
        ValueError: a length below 2, no frames, or an overlap outside its range.
    """
    overlap = max(1, round(OVERLAP_SHARE * length)) if overlap is None else overlap
    if n_frames < 1 or length < 2 or not 1 <= overlap <= length // 2:
        raise ValueError(f"{n_frames} frames in windows of {length} that share {overlap}: there must be frames, "
                         "windows have 2 or more, and share 1 to half of theirs")
    if n_frames <= length:
        return WindowPlan(n_frames, n_frames, (0,), 0)
    last = n_frames - length
    n_more = math.ceil(last / (length - overlap))
    return WindowPlan(n_frames, length, tuple(round(k * last / n_more) for k in range(n_more + 1)), max(1, overlap // 2))


def split(x: Tensor, plan: WindowPlan, dim: int = 2) -> list[Tensor]:
    """The windows of `x`, whose axis `dim` has the plan's frames: views, first to last."""
    _check(x.shape[dim], plan.n_frames)
    return [x.narrow(dim, start, plan.length) for start in plan.starts]


def join(parts: Sequence[Tensor], plan: WindowPlan, dim: int = 2) -> Tensor:
    """One tensor with the plan's frames on axis `dim`, of what was made of each window.

    A window's answer is heard alone where no other is; between two it fades with a raised cosine.
    """
    _check(len(parts), plan.n_windows)
    if plan.n_windows == 1:
        return parts[0]
    rise = _rise(plan.fade, parts[0], dim)
    fades, pieces, begin = plan.fades, [], 0
    for k, (part, start) in enumerate(zip(parts, plan.starts, strict=True)):
        _check(part.shape[dim], plan.length)
        end = fades[k] if k < len(fades) else plan.n_frames
        pieces.append(part.narrow(dim, begin - start, end - begin))
        if k < len(fades):
            going = part.narrow(dim, end - start, plan.fade)
            coming = parts[k + 1].narrow(dim, end - plan.starts[k + 1], plan.fade)
            pieces.append(going + rise * (coming - going))
        begin = end + plan.fade
    return torch.cat(pieces, dim)


def weights(plan: WindowPlan) -> Tensor:
    """How much of each window is heard at each frame, [windows, frames], float32; every column sums to 1."""
    ones = torch.ones(plan.length)
    heard = []
    for k in range(plan.n_windows):
        parts = [ones if k == other else torch.zeros_like(ones) for other in range(plan.n_windows)]
        heard.append(join(parts, plan, dim=0))
    return torch.stack(heard)


def _rise(n: int, like: Tensor, dim: int) -> Tensor:
    """A raised cosine from 0 to 1 over `n` frames, shaped to multiply on axis `dim`."""
    places = (torch.arange(n, dtype=torch.float32) + 0.5) / n
    shape = [1] * like.ndim
    shape[dim] = n
    return (0.5 - 0.5 * torch.cos(math.pi * places)).to(like).reshape(shape)


def _check(found: int, expected: int) -> None:
    if found != expected:
        raise ValueError(f"{found} where the window plan has {expected}")
