# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL

from server.models.embedded.corpus import Corpus
from server.models.embedded.train_vae import held_out_error, held_out_mels


def test_training_changes_the_decoder_alone(vae_steps: Callable[[Path, int], Path], tmp_path: Path) -> None:
    vae_steps(tmp_path, 0)
    before = AutoencoderKL.from_pretrained(tmp_path / "vae").state_dict()
    vae_steps(tmp_path, 2)
    after = AutoencoderKL.from_pretrained(tmp_path / "vae").state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed and all(key.startswith(("decoder.", "post_quant_conv.")) for key in changed)


def test_latents_have_unit_deviation_over_all_from_the_start(
    vae_steps: Callable[[Path, int], Path], corpus: Corpus, tmp_path: Path
) -> None:
    vae_steps(tmp_path, 0)
    vae = AutoencoderKL.from_pretrained(tmp_path / "vae")
    mel = held_out_mels(corpus, "train", torch.device("cpu"), 8)
    with torch.no_grad():
        latents = vae.encode(mel).latent_dist.mode() * vae.config.scaling_factor
    assert latents.std().item() == pytest.approx(1, abs=0.35)
    # principal components of a few mels and a short fit: far better than the mean mel
    assert held_out_error(vae, mel) < 0.6 * (mel - mel.mean()).abs().mean()
