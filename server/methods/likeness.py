# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of the original and of the reference is heard in a fused clip: cosines in one named embedding.

A model cannot return a clip better than its autoencoder does, and two clips that are alike to begin with are alike in
every mixture. So each cosine is also given as a share: 0 where the fused clip is as like it as original and reference
are like each other, 1 where it is as like it as the clip's own round trip through the autoencoder. Where the two clips
are too alike for that, there is no share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip
from server.measure import timbre
from server.methods.fitting import Fitted, unfit
from server.models.base import Backbone

_TOO_ALIKE = 0.02


@dataclass(frozen=True)
class Likeness:
    """The two ends of a fusion, as unit vectors, with the cosine of each one's round trip; reference None if not given."""

    original: np.ndarray
    original_best: float
    reference: np.ndarray | None
    reference_best: float | None

    @property
    def between(self) -> float | None:
        """Cosine of original and reference."""
        return None if self.reference is None else float(self.original @ self.reference)

    def of(self, clip: Clip) -> dict[str, float | str]:
        """Cosines and shares of a fused clip, JSON values."""
        vector = timbre.embed(clip)
        found: dict[str, float | str] = {"embedding": timbre.NAME}
        for name, end, best in (("original", self.original, self.original_best),
                                ("reference", self.reference, self.reference_best)):
            if end is not None:
                found[name] = round(float(vector @ end), 4)
                found[f"{name}_round_trip"] = round(best, 4)
                if self.between is not None and best - self.between > _TOO_ALIKE:
                    found[f"{name}_share"] = round((found[name] - self.between) / (best - self.between), 4)
        if self.between is not None:
            found["between"] = round(self.between, 4)
        return found

    @staticmethod
    def lean(found: Mapping[str, float | str]) -> float:
        """How much nearer a fused clip is to the original than to the reference: shares where there are, else cosines."""
        kind = "_share" if {"original_share", "reference_share"} <= found.keys() else ""
        return float(found[f"original{kind}"]) - float(found[f"reference{kind}"])


@torch.no_grad()
def likeness(backbone: Backbone, original: Fitted, x0: Tensor, reference: Fitted | None) -> Likeness:
    """Measure the original, whose latents are `x0`, and the reference, if there is one, with their round trips."""
    heard, heard_best = _end(backbone, original, x0)
    led, led_best = _end(backbone, reference, backbone.encode(reference.audio)) if reference else (None, None)
    return Likeness(heard, heard_best, led, led_best)


def _end(backbone: Backbone, fitted: Fitted, x0: Tensor) -> tuple[np.ndarray, float]:
    vector = timbre.embed(fitted.source)
    back = unfit(backbone.decode(x0, fitted.n_samples), fitted, backbone)
    return vector, float(vector @ timbre.embed(back))
