# SPDX-License-Identifier: GPL-3.0-or-later
"""LPAPS: how far two clips are in the features of a network's stages (Iashin and Rahtu 2021, after LPIPS). Lower is nearer.

What the papers print (`published`) normalises and sums over the places in the spectrogram and averages over channels, since
the code takes features [batch, tokens, channels] for images [batch, channels, ...]. It then asks channel by channel where
in the clip a feature is, not place by place which features there are. `corrected` does what LPIPS defines. The two do not
compare, nor do figures of two networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, get_args

import numpy as np
from torch import Tensor

from server.audio import Clip
from server.errors import InvalidOption

Form = Literal["corrected", "published"]


class Stages(Protocol):
    """A network that tells its features: `stages` gives [window][stage] of [tokens, channels]."""

    name: str

    def stages(self, clip: Clip) -> list[list[Tensor]]: ...


def lpaps(network: Stages, estimate: Clip, target: Clip, form: Form = "corrected") -> float:
    """LPAPS of two clips of one length, its mean over their 10 s windows; 0 for the same clip.

    Raises:
        InvalidOption: a form that does not exist.
        ValueError: the clips differ in length.
    """
    if estimate.duration_s != target.duration_s:
        raise ValueError(f"clips of {estimate.duration_s:g} and {target.duration_s:g} s cannot be held against each other")
    pairs = zip(network.stages(estimate), network.stages(target), strict=True)
    return float(np.mean([of_stages(a, b, form) for a, b in pairs]))


def of_stages(a: Sequence[Tensor], b: Sequence[Tensor], form: Form = "corrected") -> float:
    """The same of one window's features, [tokens, channels] of each stage; the sum over stages.

    corrected: mean over tokens of |a - b|^2, each token's channels normalised to length 1, so 2 - 2 cos of the two.
    published: mean over channels of 2 - 2 cos of the two courses of a channel over all tokens.
    """
    if form not in get_args(Form):
        raise InvalidOption(f"the form of LPAPS is {form!r}; it can be {', '.join(get_args(Form))}.")
    along = 1 if form == "corrected" else 0
    return float(sum((_unit(x, along) - _unit(y, along)).square().sum(along).mean() for x, y in zip(a, b, strict=True)))


def _unit(features: Tensor, along: int) -> Tensor:
    # LPIPS adds 1e-10 to the length itself, so that a channel without any feature is 0 and not nan.
    return features.double() / (features.double().norm(dim=along, keepdim=True) + 1e-10)
