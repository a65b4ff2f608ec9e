# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind takes a clip longer than the model's window, says how it was laid out, and renders what it would in one.

The Gaussian's denoiser looks at each frame alone, so here windows may change nothing but rounding.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from server.kinds import KINDS, find_kind
from server.methods import run
from server.methods.cache import Cache

SECONDS, WINDOW_S = 3.3, 0.5
KIND: dict[str, dict[str, Any]] = {
    "generate": {"prompt": "bells", "seconds": SECONDS},
    "fuse": {"snr_db": -10},
    "learn": {"prompt": "bells", "name": "bells", "learn_steps": 5, "rank": 2},
    "separate": {"stem": ["rain", "a bell"], "stems": "both"},
    "edit": {"to": ["a bell"], "select": "1:2.5"},
    "vary": {"directions": 1, "sign": "plus", "select": "1:1.4", "scale": "clip"},
    "restore": {"task": "inpaint", "gap": "1:1.5"},
}


def test_every_kind_is_here():
    assert KIND.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", KIND)
def test_a_long_clip_is_rendered_in_windows(kind, context, backbone, noise_clip):
    roles = [spec.role for spec in find_kind(kind).inputs if spec.is_audio and spec.role != "room"]
    clips = {role: noise_clip(SECONDS, seed=i) for i, role in enumerate(roles)}
    options = find_kind(kind).parse({"steps": 6, "seed": 1} | KIND[kind] if kind != "learn" else {"seed": 1} | KIND[kind])

    def made(window_s: float):
        backbone.facts = replace(backbone.facts, max_s=window_s)
        return run(kind, clips, options, replace(context, cache=Cache()))

    whole, joined = made(30.0), made(WINDOW_S)
    assert len(joined) == len(whole) > 0
    for one, other in zip(joined, whole, strict=True):
        assert one.name == other.name and "windows" not in other.provenance
        if one.clip is not None:
            assert one.provenance["windows"]["window_s"] == WINDOW_S and len(one.provenance["windows"]["starts_s"]) == 9
            assert one.clip.n_samples == round(SECONDS * 4000)
            if kind != "learn":  # which is trained on windows drawn at random, where the other is on the whole clip
                np.testing.assert_allclose(one.clip.samples, other.clip.samples, atol=2e-4)
