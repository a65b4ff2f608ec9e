# SPDX-License-Identifier: GPL-3.0-or-later
"""A backbone that takes clips of any length: longer than the model's window, they go through it in overlapping windows.

Where a clip fits, everything passes through unchanged. Where it does not, `denoise` joins the windows' estimates of x0 at
every step (`server.sampling.windows`), so samplers, inversions and guidance above it see one long latent. Encoding and
decoding go window by window. A waveform autoencoder hears no further than the windows overlap, so the joined audio is that
of the whole; a mel autoencoder has attention and normalises over all it is given, so its windows differ a little, as they
would from any other length (the embedded model's mels by 0.01 nat, -55 dB, evenly along a window and not where two meet:
a longer overlap would not help), and fade into each other as latents, and as mels in front of the vocoder, which again
hears no further than its pieces overlap. Each window is conditioned as a clip of the window's length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from server.models.base import Backbone, Conditioning, Remembering, Schedule
from server.models.mel_backbone import MelBackbone
from server.models.memory import Ladder
from server.sampling.levels import Level, Levels
from server.sampling.windows import WindowPlan, join, plan_windows, split

LONGEST_S = 600.0
"""Longest clip of any kind of job; here for those that ask a backbone."""
AT_ONCE = 8  # windows in one batch
VOCODED = 3  # windows' worth of mel that the vocoder takes at once


_OfMel = Callable[[MelBackbone, Tensor, int, int], Tensor]


class Windowed(Backbone):
    """`inner` for clips of up to LONGEST_S.

    ladder: what happens where memory runs out; tick: called between the pieces of a long clip, where a job can be stopped.
    """

    def __init__(self, inner: Backbone, ladder: Ladder, tick: Callable[[], None]) -> None:
        facts = inner.facts
        self.inner, self._ladder, self._tick = inner, ladder, tick
        self.facts = replace(facts, max_s=max(facts.max_s, LONGEST_S))
        self.device, self.dtype, self.network = inner.device, inner.dtype, inner.network
        self._hop = round(facts.sample_rate / facts.latent_hz)
        self._coded = inner.latent_shape(round(facts.max_s * facts.sample_rate))[1]
        self.window_frames = inner.denoises_frames or self._coded
        self._plan: WindowPlan | None = None

    def levels(self, n_steps: int, schedule: Schedule = "model") -> Levels:
        return self.inner.levels(n_steps, schedule)

    def latent_shape(self, n_samples: int) -> tuple[int, ...]:
        return self.inner.latent_shape(n_samples)

    def condition(self, prompt: str | None, duration_s: float) -> Conditioning:
        """Conditioning of a clip, or of each of its windows: then their length is the duration."""
        return self.inner.condition(prompt, min(duration_s, self.inner.facts.max_s))

    def encode(self, audio: Tensor) -> Tensor:
        """As `Backbone.encode`, a clip longer than the window piece by piece."""
        n_frames = self.latent_shape(audio.shape[-1])[1]
        if n_frames <= self._coded:
            return self._ladder.rows(lambda a, b: self.inner.encode(audio[a:b]), len(audio))
        plan = plan_windows(n_frames, self._coded)
        padded = F.pad(audio, (0, n_frames * self._hop - audio.shape[-1]))
        return join(self._each(self.encode, split(padded, plan.scaled(self._hop))), plan)

    @property
    def reach(self) -> int | None:
        return self.inner.reach

    def decode(self, latents: Tensor, n_samples: int) -> Tensor:
        """As `Backbone.decode`, latents longer than the window piece by piece; differentiable."""
        return self._decoded(latents, n_samples, self.inner.decode, MelBackbone.audio_of_mel)

    def decode_stereo(self, latents: Tensor, n_samples: int) -> Tensor:
        """As `Backbone.decode_stereo`, latents longer than the window piece by piece."""
        return self._decoded(latents, n_samples, self.inner.decode_stereo, MelBackbone.stereo_of_mel)

    def decode_draft(self, latents: Tensor, n_samples: int) -> Tensor:
        """As `Backbone.decode_draft`, latents longer than the window piece by piece; differentiable."""
        return self._decoded(latents, n_samples, self.inner.decode_draft, MelBackbone.draft_of_mel)

    def denoise(self, x: Tensor, level: Level, conditionings: Sequence[Conditioning]) -> Tensor:
        """As `Backbone.denoise`; longer latents as windows in one batch, or in several where there are many."""
        assert len(conditionings) == len(x), "one conditioning per item"
        if x.shape[2] <= self.window_frames:
            return self._answers(x, level, conditionings)
        self._plan = plan = plan_windows(x.shape[2], self.window_frames)
        rows = level.rows([*range(len(x))] * plan.n_windows)
        together = torch.cat(split(x, plan))
        answers = self._answers(together, rows, [*conditionings] * plan.n_windows, AT_ONCE)
        return join(answers.split(len(x)), plan)

    def record(self) -> dict[str, Any]:
        """For the provenance, JSON values: the window plan of the last clip that needed one, and what memory allowed."""
        said: dict[str, Any] = {}
        if self._plan:
            hz = self.facts.latent_hz
            said["windows"] = {"window_s": round(self._plan.length / hz, 3), "fade_s": round(self._plan.fade / hz, 3),
                               "starts_s": [round(start / hz, 3) for start in self._plan.starts]}
        climbed = self._ladder.record()
        return said | ({"memory": climbed} if climbed else {})

    def _answers(
        self, x: Tensor, level: Level, conditionings: Sequence[Conditioning], at_once: int | None = None
    ) -> Tensor:
        def evaluate(first: int, end: int) -> Tensor:
            if (first, end) == (0, len(x)):
                return self.inner.denoise(x, level, conditionings)
            self._tick()
            return self.inner.denoise(x[first:end], level.rows(range(first, end)), conditionings[first:end])

        return self._ladder.rows(evaluate, len(x), at_once)

    def _decoded(self, latents: Tensor, n_samples: int, decode: Callable[[Tensor, int], Tensor], of_mel: _OfMel) -> Tensor:
        """Audio of latents by `decode`; of a mel model and several windows, by `of_mel` from all their mels."""
        if latents.shape[2] <= self._coded:
            return self._ladder.rows(lambda a, b: decode(latents[a:b], n_samples), len(latents))
        plan = plan_windows(latents.shape[2], self._coded)
        if isinstance(self.inner, MelBackbone):
            return self._vocoded(self.inner, self._mel(self.inner, latents, plan), of_mel)[..., :n_samples]

        def piece_s_audio(piece: Tensor) -> Tensor:
            return self._ladder.rows(lambda a, b: decode(piece[a:b], plan.length * self._hop), len(piece))

        return join(self._each(piece_s_audio, split(latents, plan)), plan.scaled(self._hop))[..., :n_samples]

    def _mel(self, inner: MelBackbone, latents: Tensor, plan: WindowPlan) -> Tensor:
        """Log-mel frames of the whole clip, [batch, frames, n_mels]."""
        def piece_s_mel(piece: Tensor) -> Tensor:
            return self._ladder.rows(lambda a, b: inner.decode_mel(piece[a:b]), len(piece))

        return join(self._each(piece_s_mel, split(latents, plan)), plan.scaled(inner.frames_per_latent), dim=1)

    def _vocoded(self, inner: MelBackbone, mel: Tensor, of_mel: _OfMel) -> Tensor:
        """Audio of log-mel frames [batch, frames, n_mels]: nothing in it hears further than the pieces overlap."""
        window, hop = self._coded * inner.frames_per_latent, inner.mel.hop
        plan = plan_windows(mel.shape[1], VOCODED * window, window // 4)
        pieces = []
        for piece, start in zip(split(mel, plan, dim=1), plan.starts, strict=True):
            self._tick()
            pieces.append(self._ladder.rows(
                lambda a, b, piece=piece, at=start * hop: of_mel(inner, piece[a:b], piece.shape[1] * hop, at), len(piece)))
        return join(pieces, plan.scaled(hop))

    def _each(self, make: Callable[[Tensor], Tensor], pieces: Sequence[Tensor]) -> list[Tensor]:
        made = []
        for piece in pieces:
            self._tick()
            made.append(make(piece))
        return made


class WindowedRemembering(Windowed, Remembering):
    """The same around a model that remembers."""

    inner: Remembering

    def remember(self, latents: Tensor) -> dict[str, Tensor]:
        return self.inner.remember(latents)

    def recalling(self, memory: Mapping[str, Tensor]) -> AbstractContextManager[None]:
        return self.inner.recalling(memory)


def windowed(
    backbone: Backbone, free: Callable[[], Sequence[str]] = tuple, tick: Callable[[], None] = lambda: None
) -> Windowed:
    """`backbone` for clips of any length, and with a memory ladder of its own: one for each job.

    Args:
        free: gives back the memory of models that no job uses, and names them.
        tick: called between the pieces of a long clip; what it raises (JobCancelled) ends the work there.
    """
    wrapper = WindowedRemembering if isinstance(backbone, Remembering) else Windowed
    return wrapper(backbone, Ladder(backbone.facts.name, free), tick)
