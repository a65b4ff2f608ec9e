# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
import torch

from server.models.embedded.augment import Bank, Mixing, Sampler
from server.models.embedded.corpus import Corpus
from server.models.embedded.waveform import stereo

CPU = torch.device("cpu")
BATCH = 6


def rendered(corpus: Corpus, monkeypatch: pytest.MonkeyPatch, place: float, wet: float) -> torch.Tensor:
    rows = corpus.of_split("train")
    draw = Sampler(corpus, rows, Mixing(0, 0, damaged=0)).draw(np.random.default_rng(3), BATCH)
    draw.numbers[stereo.WET] = wet
    monkeypatch.setattr(stereo, "places", lambda rng, count: np.full(count, place, np.float32))
    return stereo.render(Bank(corpus, rows, CPU), draw, BATCH, np.random.default_rng(4), torch.Generator().manual_seed(4))


def test_a_dry_sound_in_the_middle_is_the_same_on_both_sides(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    audio = rendered(corpus, monkeypatch, 0.0, 0.0)
    assert audio.shape == (BATCH, 2, 163840)
    torch.testing.assert_close(audio[:, 0], audio[:, 1])
    torch.testing.assert_close(audio.abs().amax((1, 2)), torch.full((BATCH,), 0.5), atol=1e-3, rtol=0)


def test_places_have_equal_power(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    audio = rendered(corpus, monkeypatch, 0.5, 0.0)
    ratio = audio[:, 1].square().sum(1) / audio[:, 0].square().sum(1)
    torch.testing.assert_close(ratio, torch.full((BATCH,), np.tan(1.5 * np.pi / 4) ** 2), rtol=1e-3, atol=0)


def test_a_room_differs_between_the_sides(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    audio = rendered(corpus, monkeypatch, 0.0, 0.5)
    assert (torch.nn.functional.cosine_similarity(audio[:, 0], audio[:, 1], dim=1) < 0.99).all()


def test_two_in_five_are_in_the_middle_and_none_beyond_the_widest() -> None:
    places = stereo.places(np.random.default_rng(0), 5000)
    assert abs((places == 0).mean() - stereo.CENTRED) < 0.03 and abs(places).max() <= stereo.WIDEST
    assert abs(places.mean()) < 0.02
