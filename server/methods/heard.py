# SPDX-License-Identifier: GPL-3.0-or-later
"""What is heard of a changed clip: its latents decoded, in the clip's own form, joined with it outside a selection."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip, true_peak_dbfs
from server.methods import selection
from server.methods.fitting import Fitted, unfit
from server.models.base import Backbone

_CEILING_DBTP = -1.0


@torch.no_grad()
def heard(latents: Tensor, clip: Fitted, backbone: Backbone, spans: selection.Spans) -> Clip:
    """The clip that latents [items, ...] become, with the original's rate, channels, length and gain.

    Lowered where its true peak would pass both -1 dBTP and the original's; outside the stretches `spans`, if there are any,
    it is the original.
    """
    source = clip.source
    made = unfit(backbone.decode(latents, clip.n_samples), clip, backbone)
    over_db = true_peak_dbfs(made) - max(_CEILING_DBTP, true_peak_dbfs(source)) if not made.is_silent else 0.0
    if over_db > 0.0:
        made = replace(made, samples=made.samples * np.float32(10.0 ** (-over_db / 20.0)))
    return selection.join(source, made, spans) if spans else made
