# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
import torch

from server.audio import Clip
from server.errors import InvalidOption
from server.measure.lpaps import lpaps, of_stages

A = torch.tensor([[3.0, 4.0], [0.0, 2.0]])  # two tokens of two channels
B = torch.tensor([[4.0, 3.0], [5.0, 0.0]])


def test_the_corrected_form_turns_tokens_and_the_published_one_channels() -> None:
    # Tokens: (0.6, 0.8) with (0.8, 0.6) and (0, 1) with (1, 0): 2 - 2 * 0.96 and 2.
    assert of_stages([A], [B]) == pytest.approx((0.08 + 2) / 2)
    # Channels: (3, 0) with (4, 5), and (4, 2) with (3, 0).
    cosines = [12 / (3 * 41**0.5), 12 / (20**0.5 * 3)]
    assert of_stages([A], [B], "published") == pytest.approx(sum(2 - 2 * c for c in cosines) / 2)
    assert of_stages([A, A], [B, B]) == pytest.approx(2 * of_stages([A], [B]))


def test_no_distance_and_no_nan() -> None:
    for form in ("corrected", "published"):
        assert of_stages([A], [7 * A], form) == pytest.approx(0, abs=1e-12)
        assert np.isfinite(of_stages([A], [0 * A], form))
    with pytest.raises(InvalidOption, match="corrected, published"):
        of_stages([A], [B], "other")


class Rows:
    name = "rows"

    def stages(self, clip: Clip) -> list[list[torch.Tensor]]:
        return [[torch.from_numpy(window)] for window in clip.samples.reshape(-1, 2, 2)]


def test_windows_are_averaged_and_clips_must_be_of_one_length() -> None:
    flat = [x.flatten().numpy() for x in (A, B)]
    a, b = Clip(np.concatenate([flat[0], flat[0]])[None], 4000), Clip(np.concatenate(flat)[None], 4000)
    assert lpaps(Rows(), a, b) == pytest.approx(of_stages([A], [B]) / 2)
    with pytest.raises(ValueError, match="0.002 and 0.001 s"):
        lpaps(Rows(), a, Clip(flat[0][None], 4000))
