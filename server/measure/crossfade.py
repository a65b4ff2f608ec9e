# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a fusion more than a crossfade? Fused clips and latent crossfades of the same two sounds, measured from the best mix.

A latent crossfade is `(1 - w) z_reference + w z_original`, decoded. Both are measured by `mixture`: how far from the best
magnitude mix of the two inputs, as they come back from the model's autoencoder, so that what the autoencoder loses does not
count. A fused clip meets the crossfade that leans as it does, by the difference of its cosines (`timbre-1`) to the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip
from server.measure import timbre
from server.measure.mixture import Left, heard, left_by_best_mix
from server.methods.fitting import fit, fit_to, unfit
from server.models.base import Backbone

WEIGHTS = tuple(float(w) for w in np.linspace(0.1, 0.9, 9))


@dataclass(frozen=True)
class Beyond:
    """What the best mix leaves, in nat: of fused clips, of the crossfades that lean alike, of the farthest crossfade."""

    fused: Left
    crossfade: Left
    farthest: Left

    @property
    def is_more(self) -> bool:
        """Whether the fused clips are farther from a mix than the crossfades that lean as they do."""
        return self.fused.by_band > self.crossfade.by_band


@torch.no_grad()
def beyond_crossfade(backbone: Backbone, original: Clip, reference: Clip, fused: Sequence[Clip]) -> Beyond:
    """Compare `fused` (one or more, of the original's rate and length) with latent crossfades; means over the clips."""
    first = fit(original, backbone, "the original")
    second = fit_to(reference, first, backbone, "the reference")
    ends = [backbone.encode(fitted.audio[:1]) for fitted in (first, second)]
    back = [unfit(backbone.decode(end, first.n_samples), first, backbone) for end in ends]
    a, b = (heard(clip) for clip in back)
    vectors = [timbre.embed(clip) for clip in back]

    def lean(clip: Clip) -> float:
        vector = timbre.embed(clip)
        return float(vector @ vectors[0] - vector @ vectors[1])

    crossfades = [unfit(backbone.decode(w * ends[0] + (1 - w) * ends[1], first.n_samples), first, backbone)
                  for w in WEIGHTS]
    leans = np.array([lean(clip) for clip in crossfades])
    left = [left_by_best_mix(heard(clip), a, b) for clip in crossfades]
    met = [left[int(np.abs(leans - lean(clip)).argmin())] for clip in fused]
    return Beyond(_mean([left_by_best_mix(heard(clip), a, b) for clip in fused]), _mean(met),
                  max(left, key=lambda one: one.by_band))


def _mean(left: Sequence[Left]) -> Left:
    values: Tensor = torch.tensor([[one.by_band, one.whole] for one in left])
    return Left(*(float(value) for value in values.mean(dim=0)))
