# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from server.models.embedded.fold import LinearFold, as_autoencoder
from server.models.embedded.train_vae import fit_linear


@pytest.fixture(scope="module")
def mel() -> Tensor:
    """Smooth random images that look like log-mels: mean about -5, deviation about 2."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(24, 1, 22, 10, generator=generator)
    fine = torch.nn.functional.interpolate(coarse, size=(176, 80), mode="bilinear")[..., 8:136 + 8, 8:72]
    return 2.5 * fine[:, :, :136] - 5


@pytest.fixture(scope="module")
def linear(mel: Tensor) -> LinearFold:
    return fit_linear(mel, seed=1, steps=60)


def test_the_first_latents_are_the_principal_components_of_patches(mel: Tensor) -> None:
    fold = LinearFold(8)
    fold.begin(mel)
    with torch.no_grad():
        latents = fold.encode(mel)
    patches = ((mel - mel.mean()) / mel.std()).unfold(2, 8, 8).unfold(3, 8, 8).flatten(4).flatten(0, 3)
    _, values, basis = torch.linalg.svd(patches - patches.mean(0), full_matrices=False)
    wanted = (patches - patches.mean(0)) @ (basis[:8].T / values[:8]) * len(patches) ** 0.5
    torch.testing.assert_close(latents.permute(0, 2, 3, 1).flatten(0, 2), wanted, rtol=0, atol=0.03 * 8)
    covariance = torch.cov(latents.transpose(0, 1).flatten(1))
    torch.testing.assert_close(covariance, torch.eye(8), rtol=0, atol=0.15)


def test_the_latents_come_out_largest_first_and_uncorrelated(mel: Tensor, linear: LinearFold) -> None:
    with torch.no_grad():
        latents = linear.encode(mel).transpose(0, 1).flatten(1)
    deviation = latents.std(1)
    assert (deviation.diff() < 0.05).all() and latents.std().item() == pytest.approx(1, abs=0.1)
    assert 1.5 < (deviation[0] / deviation[-1]).item() < 30
    off = torch.corrcoef(latents) - torch.eye(8)
    assert off.abs().max() < 0.2


def test_turning_does_not_change_what_is_decoded(mel: Tensor, linear: LinearFold) -> None:
    turned = LinearFold(8)
    turned.load_state_dict(linear.state_dict())
    turned.turn(mel, evenness=0.0)
    with torch.no_grad():
        torch.testing.assert_close(turned.decode(turned.encode(mel)), linear.decode(linear.encode(mel)), rtol=0, atol=1e-2)
        assert turned.encode(mel).transpose(0, 1).flatten(1).std(1) == pytest.approx(torch.ones(8).numpy(), abs=0.1)


def test_the_autoencoder_is_the_linear_transform(mel: Tensor, linear: LinearFold, tmp_path: Path) -> None:
    as_autoencoder(linear).half().save_pretrained(tmp_path)
    vae = AutoencoderKL.from_pretrained(tmp_path, torch_dtype=torch.float32)
    with torch.no_grad():
        latents, posterior = linear.encode(mel), vae.encode(mel).latent_dist
        assert (posterior.mode() - latents).abs().mean() < 0.02 and posterior.std.max() < 0.01
        wanted, made = linear.decode(latents), vae.decode(latents).sample
        assert (made - wanted).abs().mean() < 0.05 * (wanted - wanted.mean()).abs().mean()
