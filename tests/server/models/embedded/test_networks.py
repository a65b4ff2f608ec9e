# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import torch

from server.models.embedded import networks
from server.models.embedded.networks import HOP, N_MELS, LogMel
from server.models.mel import MelSpec, log_mel


def test_the_mel_is_the_one_that_the_model_is_rendered_with() -> None:
    audio = torch.randn(2, 16000, generator=torch.Generator().manual_seed(0)) * 0.1
    ours = LogMel()(audio)
    assert ours.shape == (2, 1, 100, N_MELS)
    torch.testing.assert_close(ours[:, 0], log_mel(audio, MelSpec()), rtol=0, atol=1e-4)


def test_the_vocoder_gives_exactly_one_hop_per_frame() -> None:
    vocoder = networks.make_vocoder(np.zeros(N_MELS), np.ones(N_MELS), channels=16)
    with torch.no_grad():
        assert vocoder(torch.randn(1, 37, N_MELS)).shape == (1, 37 * HOP)


def test_the_schedule_is_the_one_in_the_folder() -> None:
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler.from_config(networks.SCHEDULER)
    torch.testing.assert_close(networks.alphas_cumprod(), scheduler.alphas_cumprod, rtol=1e-4, atol=1e-6)
