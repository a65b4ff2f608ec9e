# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy

import numpy as np
import torch

from server.models.embedded.augment import Bank, Mixing, Sampler
from server.models.embedded.corpus import Corpus
from server.models.embedded.networks import LATENT_CHANNELS, LogMel, make_vae
from server.models.embedded.train_vae import mel_statistics, whiten


def test_whitening_changes_the_latents_alone(corpus: Corpus) -> None:
    device, rows = torch.device("cpu"), corpus.of_split("train")
    sampler, bank = Sampler(corpus, rows, Mixing()), Bank(corpus, rows, device)
    torch.manual_seed(1)
    plain = make_vae(-5.0, 2.0, (8, 16, 16)).eval()
    white = copy.deepcopy(plain)
    whiten(white, sampler, bank, seed=7, clips=4)
    draw = sampler.draw(np.random.default_rng([7, 92]), 4)
    with torch.no_grad():
        mel = LogMel()(bank.render(draw, 4, torch.Generator().manual_seed(7)))
        before, after = (vae.encode(mel).latent_dist for vae in (plain, white))
        mean, deviation = before.mean.mean((0, 2, 3)), before.mean.std((0, 2, 3))
        # the same clips that were measured: every channel at mean 0 and deviation 1
        torch.testing.assert_close(after.mean.mean((0, 2, 3)), torch.zeros(LATENT_CHANNELS), rtol=0, atol=1e-4)
        torch.testing.assert_close(after.mean.std((0, 2, 3)), torch.ones(LATENT_CHANNELS), rtol=1e-3, atol=0)
        # the same posterior in other units, and the same mel from it
        torch.testing.assert_close(after.std * deviation[:, None, None], before.std, rtol=1e-3, atol=1e-6)
        rescaled = (before.mean - mean[:, None, None]) / deviation[:, None, None]
        torch.testing.assert_close(after.mean, rescaled, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(white.decode(after.mean).sample, plain.decode(before.mean).sample, rtol=1e-3, atol=1e-3)
    assert abs(white.config.scaling_factor - 1) < 0.01


def test_an_untrained_autoencoder_starts_near_the_mean_mel(corpus: Corpus) -> None:
    rows = corpus.of_split("train")
    sampler, bank = Sampler(corpus, rows, Mixing()), Bank(corpus, rows, torch.device("cpu"))
    mean, deviation = mel_statistics(sampler, bank, seed=0, clips=4)
    vae = make_vae(float(mean.mean()), float(deviation.mean()), (8, 16, 16)).eval()
    with torch.no_grad():
        mel = LogMel()(bank.render(sampler.draw(np.random.default_rng(0), 2), 2, torch.Generator().manual_seed(0)))
        error = (vae.decode(vae.encode(mel).latent_dist.mode()).sample - mel).abs().mean()
    assert error < 3 * float(deviation.mean())
