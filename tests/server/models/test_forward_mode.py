# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of every layout can be differentiated forward, which `vary` needs; through windows and guidance as well."""

from __future__ import annotations

import pytest
import torch

from server.models import tiny
from server.models.windowed import windowed
from server.sampling.directions import Jacobian
from server.sampling.guide import guided


def products(backbone, normal, frames: int, path: str = "auto") -> tuple[torch.Tensor, Jacobian]:
    """J v of two rows at two levels, under guidance 3."""
    frame = round(backbone.facts.sample_rate / backbone.facts.latent_hz)
    x, v = (normal(2, *backbone.latent_shape(frames * frame), seed=seed) for seed in (0, 1))
    denoise = guided(backbone, [backbone.condition("bells", 1.0)], [backbone.condition(None, 1.0)], 3.0)
    jacobian = Jacobian(denoise, path)
    return jacobian(x, backbone.levels(10).at([4, 6]), v), jacobian


@pytest.mark.parametrize("layout", [name for name in tiny.LAYOUTS if name != "stable_audio_small"])
def test_forward_mode_is_what_a_difference_comes_near(tiny_backbone, normal, layout):
    backbone = tiny_backbone(layout)
    exact, jacobian = products(backbone, normal, 8)
    near, _ = products(backbone, normal, 8, "difference")
    assert jacobian.path == "forward" and exact.shape == near.shape
    assert (exact - near).norm() < 0.01 * near.norm()


def test_it_goes_through_the_windows_of_a_long_clip(tiny_backbone, normal):
    backbone = windowed(tiny_backbone("stable_audio"))
    exact, jacobian = products(backbone, normal, backbone.window_frames + 20)
    near, _ = products(backbone, normal, backbone.window_frames + 20, "difference")
    assert jacobian.path == "forward" and "windows" in backbone.record()
    assert (exact - near).norm() < 0.01 * near.norm()


def test_a_network_in_half_precision_gives_nearly_the_same(tiny_backbone, normal):
    exact, _ = products(tiny_backbone("audioldm"), normal, 8)
    half, jacobian = products(tiny_backbone("audioldm", dtype="bfloat16"), normal, 8)
    assert jacobian.path == "forward" and half.dtype == torch.float32
    assert (half - exact).norm() < 0.05 * exact.norm()
