# SPDX-License-Identifier: GPL-3.0-or-later
"""What is heard of a changed clip: its latents decoded, in the clip's own form, joined with it outside a selection."""

from __future__ import annotations

import torch
from torch import Tensor

from server.audio import Clip, match_level, true_peak_dbfs
from server.methods import selection
from server.methods.fitting import Fitted, unfit
from server.models.base import Backbone

_CEILING_DBTP = -1.0


@torch.no_grad()
def heard(latents: Tensor, clip: Fitted, backbone: Backbone, spans: selection.Spans, *, raw_level: bool) -> Clip:
    """The clip that latents [items, ...] become, with the original's rate, channels and length, and as loud as it is.

    A model's level is no part of what was asked for: side by side, the louder of two variations would win. A true peak
    stays below -1 dBTP, or below the original's where that is higher. raw_level leaves the level as it came out. Outside
    the stretches `spans`, if there are any, it is the original.
    """
    source = clip.source
    made = unfit(backbone.decode(latents, clip.n_samples), clip, backbone)
    if not raw_level:
        # An original that peaks above the usual ceiling keeps its peak, or a selection's level would step down.
        made = match_level(made, source, ceiling_dbtp=max(_CEILING_DBTP, true_peak_dbfs(source)))
    return selection.join(source, made, spans) if spans else made
