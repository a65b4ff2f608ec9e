# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np

from server.models.embedded.captions import caption
from server.models.embedded.vocabulary import DAMAGES

DOG = {"phrases": ("a dog", "dog barking"), "words": ("low",)}
RAIN = {"phrases": ("rain", "drizzle"), "words": ()}


def test_a_caption_says_what_is_heard() -> None:
    rng = np.random.default_rng(0)
    captions = [caption(rng, [DOG], ["dog"], wet=False) for _ in range(50)]
    assert all("dog" in text for text in captions)
    assert any(word in text for text in captions for word in ("low", "deep", "bass"))
    both = caption(rng, [DOG, RAIN], ["dog", "rain"], wet=True)
    assert "dog" in both and any(word in both for word in ("rain", "drizzle"))


def test_a_damage_is_always_told() -> None:
    rng = np.random.default_rng(0)
    for kind, words in DAMAGES.items():
        for _ in range(20):
            said = caption(rng, [RAIN], ["rain"], wet=False, damage=kind)
            assert said.endswith(tuple(f", {word}" for word in words))
