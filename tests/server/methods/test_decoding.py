# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from server.methods import decoding
from server.methods.decoding import decode_for_gradient, recomputed
from server.models import tiny
from server.models.loading import load


def test_pieces_of_bounded_reach_are_exact(tmp_path):
    real = load(str(tiny.build("stable_audio", tmp_path / "tiny")))
    latents = torch.randn(1, 4, 128, generator=torch.Generator().manual_seed(0))
    n = 60 * 2048
    whole, pieces = latents.clone().requires_grad_(), latents.clone().requires_grad_()
    expected, found = real.decode(whole, n), decode_for_gradient(real, pieces, n, piece_s=0.5)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    expected.square().sum().backward()
    found.square().sum().backward()
    torch.testing.assert_close(pieces.grad, whole.grad, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("at_once_s", [100.0, 1.5, 0.4])
def test_items_and_long_clips_are_taken_one_after_the_other(backbone, monkeypatch, at_once_s):
    """Whole; by item; along time, where this backbone's pieces happen to be exact."""
    monkeypatch.setattr(decoding, "AT_ONCE_S", at_once_s)
    latents = torch.randn(2, 1, 40, 100, generator=torch.Generator().manual_seed(0)).requires_grad_()
    audio = decode_for_gradient(backbone, latents, 3950)
    torch.testing.assert_close(audio, backbone.decode(latents, 3950))
    audio.sum().backward()
    assert latents.grad.sum() == 2 * 3950 and latents.grad.max() == 1.0


def test_a_network_is_computed_again_for_the_same_gradient(tmp_path):
    real = load(str(tiny.build("stable_audio", tmp_path / "tiny")))
    null, level = [real.condition(None, 0.5)], real.levels(10).at(5)
    x = torch.randn(1, *real.latent_shape(8000), generator=torch.Generator().manual_seed(0))
    gradients, calls = [], []
    real.network.transformer_blocks[0].register_forward_pre_hook(lambda *_: calls.append(len(gradients)))
    for again in (False, True):
        at = x.clone().requires_grad_()
        with recomputed(real.network) if again else nullcontext():
            real.denoise(at, level, null).square().sum().backward()
        gradients.append(at.grad)
    torch.testing.assert_close(*gradients, atol=1e-6, rtol=1e-5)
    assert calls == [0, 1, 1] and not real.network.is_gradient_checkpointing
