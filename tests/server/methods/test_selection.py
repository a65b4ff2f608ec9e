# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
import torch

from server.audio import Clip
from server.errors import InvalidOption
from server.methods.selection import join, latent_mask, leakage, pull_back_per_step, pulled_back, within


def test_stretches_are_put_in_order_joined_where_they_touch_and_cut_at_the_end():
    assert within([(3.0, 9.0), (0.5, 1.0), (1.0, 1.5)], 4.0) == ((0.5, 1.5), (3.0, 4.0))
    with pytest.raises(InvalidOption, match="select=4:5 begins behind the end of the clip, at 4.000 s"):
        within([(4.0, 5.0)], 4.0)
    for nothing in ((1.0, 1.00001), (3.99999, 5.0)):
        with pytest.raises(InvalidOption, match="holds less than 1 ms of the clip, which ends at 4.000 s"):
            within([nothing], 4.0)


@pytest.mark.parametrize("shape", [(1, 8, 10, 16), (1, 64, 10)])
def test_the_mask_covers_every_frame_that_a_stretch_touches(shape):
    mask = latent_mask([(0.25, 0.5), (0.81, 0.9)], torch.zeros(shape), 10.0)
    assert mask.shape == (1, 1, 10, *[1] * (len(shape) - 3))
    assert mask.flatten().tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 1, 0]


def test_the_pull_back_is_eq_6():
    x, own = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    mask = torch.tensor([0.0, 1.0, 1.0, 0.0]).reshape(1, 1, 4)
    after = pulled_back(x, own, mask, 0.025)
    assert torch.equal(after[..., 1:3], x[..., 1:3])
    torch.testing.assert_close(after[..., 0], 0.025 * own[..., 0] + 0.975 * x[..., 0])


@pytest.mark.parametrize("n_steps", [10, 50, 200, 1000])
def test_the_pull_is_as_strong_in_any_number_of_steps(n_steps):
    assert (1 - pull_back_per_step(0.025, n_steps)) ** n_steps == pytest.approx(0.975**200)


def test_leakage_is_the_change_outside_alone():
    own = torch.ones(1, 2, 4)
    mask = torch.tensor([1.0, 1.0, 0.0, 0.0]).reshape(1, 1, 4)
    made = own + torch.tensor([5.0, 5.0, 0.3, 0.3])
    assert leakage(made, own, mask) == pytest.approx(0.3)
    assert leakage(torch.cat([made, own]), own, mask) == pytest.approx(0.3 / 2**0.5)
    assert leakage(made, own, torch.ones(1, 1, 4)) == 0.0


def test_outside_is_the_original_to_the_bit_and_the_crossfade_lies_inside():
    rng = np.random.default_rng(0)
    original, made = (Clip(rng.normal(size=(2, 4000)), 4000) for _ in range(2))
    joined = join(original, made, [(0.2, 0.5), (0.9, 1.0)], crossfade_s=0.02)
    outside = np.r_[0:800, 2000:3600]
    assert np.array_equal(joined.samples[:, outside], original.samples[:, outside])
    assert np.array_equal(joined.samples[:, 880:1920], made.samples[:, 880:1920])
    assert np.array_equal(joined.samples[:, 3680:], made.samples[:, 3680:])
    low, high = np.minimum(original.samples, made.samples), np.maximum(original.samples, made.samples)
    assert ((joined.samples >= low - 1e-6) & (joined.samples <= high + 1e-6)).all()
    np.testing.assert_allclose(join(original, original, [(0.2, 0.5)]).samples, original.samples, rtol=1e-6)


def test_a_stretch_shorter_than_two_crossfades_still_reaches_what_was_made():
    original, made = Clip(np.zeros((1, 4000)), 4000), Clip(np.ones((1, 4000)), 4000)
    assert join(original, made, [(0.5, 0.51)], crossfade_s=0.02).samples[0, 2020] > 0.9
