# SPDX-License-Identifier: GPL-3.0-or-later
"""Separate a mixture by what a model is least sure of in it: the editor by components, as ZeroSep's table 1 runs it.

Manor and Michaeli's editor without words (arXiv:2402.10009, section 3.3; here the job kind `vary`) finds principal
components of the model's posterior and moves the clip along them. Along a component on which the sources of a mixture
differ, one way makes more of the one and the other way more of the other: the two ways are taken for stems. ZeroSep
(arXiv:2505.23625) does not state its settings; these are the defaults of `vary`. Which variation is which stem is not
known: who compares must pair them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from server.audio import Clip
from server.measure.probes import given_back
from server.measure.studio import Studio
from server.methods.fitting import bandwidth_hz
from server.methods.masks import split


@dataclass(frozen=True)
class Parts:
    """What was found, in no order that means anything: the variations, and the mixture cut by the masks made of them."""

    generated: tuple[Clip, ...]
    masked: tuple[Clip, ...]


def separate(studio: Studio, mixture: Clip, count: int, seed: int = 0, **options: Any) -> Parts:
    """`count` parts of a mixture: both ways along the strongest components, as many as that takes.

    Args:
        mixture: mono.
        options: of `vary`, such as steps.
    """
    outputs = studio("vary", {"clip": mixture}, seed=seed, **{"directions": -(-count // 2), **options})
    made = tuple(output.clip for output in outputs if output.clip is not None)[:count]
    seen = given_back(studio.backbone, mixture)
    return Parts(made, split(mixture, made, seen, bandwidth_hz(mixture, studio.backbone)).stems)
