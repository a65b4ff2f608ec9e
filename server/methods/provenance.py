# SPDX-License-Identifier: GPL-3.0-or-later
"""How a result was made: enough to make it again."""

from __future__ import annotations

from typing import Any

import torch

from server import __version__
from server.kinds.base import Options
from server.models.base import Backbone
from server.models.windowed import Windowed


def provenance(backbone: Backbone, options: Options, seed: int) -> dict[str, Any]:
    """JSON values: model, revision and licence of its weights, every option, the seed used, and the device and versions
    that make bytes equal.

    Asked for once the render is over, also the plan of its windows, where the clip was longer than the model's.
    """
    facts = backbone.facts
    return {
        "athanor": __version__,
        "backbone": {"name": facts.name, "layout": facts.layout, "revision": facts.revision,
                     "sample_rate": facts.sample_rate, "channels": facts.channels, "licence": facts.licence},
        "options": options.model_dump(mode="json"),
        "seed": seed,
        "device": str(backbone.device),
        "dtype": str(backbone.dtype).removeprefix("torch."),
        "torch": torch.__version__,
    } | (backbone.record() if isinstance(backbone, Windowed) else {})
