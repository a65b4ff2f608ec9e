# SPDX-License-Identifier: GPL-3.0-or-later
"""A selection in time: which latent frames it touches, what holds the others in place, how the audio is joined.

A network sees the whole clip at every step, so an edit of a part leaks into the rest (Manor and Michaeli, appendix B). Two
things stop it: after every step the latents outside are pulled back towards the clip's own trajectory (eq. 6), and at the
end the audio outside is the original's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip
from server.errors import InvalidOption
from server.sampling.noise import repeated

Spans = Sequence[tuple[float, float]]
"""Stretches of time, (start, end) in seconds."""

PULL_BACK = 0.025
"""delta of eq. 6, as the paper fixes it for 200 steps."""
_PULL_BACK_STEPS = 200
CROSSFADE_S = 0.02
SHORTEST_S = 0.001


def within(spans: Spans, duration_s: float) -> tuple[tuple[float, float], ...]:
    """The stretches in order, those that touch made one, cut off at the clip's end.

    Raises:
        InvalidOption: one begins behind the end of the clip, or holds less than a millisecond of it.
    """
    merged: list[tuple[float, float]] = []
    for start_s, end_s in sorted(spans):
        if start_s >= duration_s:
            raise InvalidOption(f"select={start_s:g}:{end_s:g} begins behind the end of the clip, at {duration_s:.3f} s. "
                                "Give seconds within it.")
        if min(end_s, duration_s) - start_s < SHORTEST_S:
            raise InvalidOption(f"select={start_s:g}:{end_s:g} holds less than {1000 * SHORTEST_S:g} ms of the clip, which "
                                f"ends at {duration_s:.3f} s: nothing would change. Give a longer stretch.")
        end_s = min(end_s, duration_s)
        if merged and start_s <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end_s))
        else:
            merged.append((start_s, end_s))
    return tuple(merged)


def latent_mask(spans: Spans, latents: Tensor, latent_hz: float) -> Tensor:
    """M of eq. 6: 1 in the frames that a stretch touches, else 0; [1, 1, frames, 1...] for `latents` [batch, channels,
    frames, ...]."""
    frames = latents.shape[2]
    mask = torch.zeros(frames, dtype=latents.dtype)
    for start_s, end_s in spans:
        mask[math.floor(start_s * latent_hz) : math.ceil(end_s * latent_hz)] = 1.0
    return mask.reshape(1, 1, frames, *[1] * (latents.ndim - 3)).to(latents.device)


def pull_back_per_step(delta: float, n_steps: int) -> float:
    """The share that one of `n_steps` must take for all of them to pull as hard as `delta` does in the paper's 200."""
    return 1.0 - (1.0 - delta) ** (_PULL_BACK_STEPS / n_steps)


def pulled_back(x: Tensor, own: Tensor, mask: Tensor, delta: float) -> Tensor:
    """Eq. 6: M x + (1 - M)(delta own + (1 - delta) x), with `own` the clip's own state at the same level."""
    return x + (delta * (1.0 - mask)) * (own - x)


def leakage(made: Tensor, own: Tensor, mask: Tensor) -> float:
    """How much the latents outside the selection have changed: RMS of the change over RMS of what was there, 0 for none.

    made: [n * batch, ...]; own: [batch, ...]. 0 where the selection is all there is.
    """
    outside = 1.0 - mask
    held = float((outside * own).square().mean())
    times = len(made) // len(own)
    changed = float((outside * (made - repeated(own, times))).square().mean())
    return math.sqrt(changed / held) if held else 0.0


def join(original: Clip, made: Clip, spans: Spans, crossfade_s: float = CROSSFADE_S) -> Clip:
    """`made` inside the stretches, `original` outside, to the bit; the crossfades lie inside.

    Args:
        original, made: clips of the same rate, channels and length.
        spans: as `within` gives them.
        crossfade_s: length of the raised-cosine crossfade, at most half of a stretch; none at the clip's own ends.
    """
    share = _share(original, spans, crossfade_s)
    mixed = (1.0 - share) * original.samples + share * made.samples
    return replace(original, samples=np.where(share > 0.0, mixed, original.samples).astype(np.float32))


def _share(clip: Clip, spans: Spans, crossfade_s: float) -> np.ndarray:
    """How much of every sample comes from the made clip, [samples] float32."""
    share = np.zeros(clip.n_samples, np.float32)
    for start_s, end_s in spans:
        start, end = (min(round(at_s * clip.sample_rate), clip.n_samples) for at_s in (start_s, end_s))
        inside = np.ones(end - start, np.float32)
        length = min(round(crossfade_s * clip.sample_rate), len(inside) // 2)
        ramp = np.sin(0.5 * np.pi * (np.arange(length) + 0.5) / max(length, 1)) ** 2
        if start > 0:
            inside[:length] *= ramp
        if end < clip.n_samples:
            inside[len(inside) - length :] *= ramp[::-1]
        share[start:end] = inside
    return share
