# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip goes to the model and comes back as it went: rate, channels, length, gain.

Models work at one rate and channel count. A stereo clip meets a mono model as two items of one batch (dual mono, both
with the same noise, so that the image stays put); where its channels are equal, as one. A mono clip meets a stereo model
on both channels and is folded back. What that costs is the band above half the model's rate, and it is recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip, fade, fold_mono, require_sound, resample, to_channels, to_length
from server.errors import InvalidInput
from server.models.base import Backbone

MODEL_PEAK = 0.5
"""Sample peak at which a clip is shown to a model: what the mel models were trained on."""


@dataclass(frozen=True)
class Fitted:
    """A clip as a model takes it.

    audio: [items, model channels, time] at the model's rate, peak 0.5, on the model's device.
    source: the clip it came from; gain: what `source` was multiplied by.
    """

    audio: Tensor
    source: Clip
    gain: float

    @property
    def items(self) -> int:
        return self.audio.shape[0]

    @property
    def n_samples(self) -> int:
        """Length at the model's rate."""
        return self.audio.shape[-1]


def fit(clip: Clip, backbone: Backbone, name: str) -> Fitted:
    """Show `clip` to the model; `name` is what an error calls it ("the original").

    Raises:
        InvalidInput: silent, too short, or longer than the model renders, in windows or not.
    """
    name = name[0].upper() + name[1:]
    require_sound(clip, name)
    facts = backbone.facts
    if clip.duration_s > facts.max_s:
        raise InvalidInput(f"{name} is {clip.duration_s:.2f} s long; {facts.name} renders up to {facts.max_s:.2f} s. "
                           "Send a shorter part of it.")
    gain = MODEL_PEAK / float(np.abs(clip.samples).max())
    at_rate = resample(clip, facts.sample_rate)
    items = _items(at_rate, facts.channels) * np.float32(gain)
    return Fitted(torch.from_numpy(items).to(backbone.device), clip, gain)


def fit_to(clip: Clip, like: Fitted, backbone: Backbone, name: str) -> Fitted:
    """Show `clip` to the model beside `like`: same items, same length; a shorter one is repeated, a longer one cut."""
    name = name[0].upper() + name[1:]
    require_sound(clip, name)
    at_rate = repeat_to(resample(clip, backbone.facts.sample_rate), like.n_samples)
    at_rate = to_channels(at_rate, backbone.facts.channels)
    gain = MODEL_PEAK / max(float(np.abs(at_rate.samples).max()), 1e-9)
    audio = torch.from_numpy(at_rate.samples[None] * np.float32(gain)).to(backbone.device)
    return Fitted(audio.expand(like.items, -1, -1), clip, gain)


def unfit(audio: Tensor, fitted: Fitted, backbone: Backbone) -> Clip:
    """The model's audio [items, model channels, time] as a clip like `fitted.source`, its gain undone."""
    source = fitted.source
    samples = audio.detach().float().cpu().numpy() / np.float32(fitted.gain)
    samples = samples.reshape(-1, samples.shape[-1])
    back = resample(Clip(samples, backbone.facts.sample_rate), source.sample_rate)
    return to_length(to_channels(back, source.channels), source.n_samples)


def repeat_to(clip: Clip, n_samples: int, crossfade_s: float = 0.05) -> Clip:
    """The clip cut to `n_samples`, or repeated up to it with crossfades of at most a quarter of its length."""
    if clip.n_samples >= n_samples:
        return to_length(clip, n_samples)
    overlap = min(round(crossfade_s * clip.sample_rate), clip.n_samples // 4)
    hop = clip.n_samples - overlap
    out = np.zeros((clip.channels, n_samples + clip.n_samples), np.float32)
    seconds = overlap / clip.sample_rate
    for start in range(0, n_samples, hop):
        part = fade(clip, in_s=seconds if start else 0.0, out_s=seconds)
        out[:, start : start + clip.n_samples] += part.samples
    return to_length(Clip(out, clip.sample_rate), n_samples)


def _items(clip: Clip, channels: int) -> np.ndarray:
    """[items, channels, time]: dual mono for a stereo clip on a mono model, else one item."""
    if channels == 1 and clip.channels == 2:
        left, right = clip.samples
        return fold_mono(clip).samples[None] if np.array_equal(left, right) else clip.samples[:, None]
    return to_channels(clip, channels).samples[None]


def bandwidth_hz(source: Clip, backbone: Backbone) -> float:
    """Highest frequency that the clip can come back with."""
    return min(source.sample_rate, backbone.facts.sample_rate) / 2
