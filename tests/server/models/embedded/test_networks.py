# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import torch

from server.models.embedded import networks
from server.models.embedded.format import F_MAX, HOP, N_FFT, N_MELS, SAMPLE_RATE
from server.models.embedded.networks import LogMel
from server.models.mel import MelSpec, log_mel


def test_the_mel_is_the_one_that_the_model_is_rendered_with() -> None:
    audio = torch.randn(2, 16000, generator=torch.Generator().manual_seed(0)) * 0.1
    ours = LogMel()(audio)
    assert ours.shape == (2, 1, 50, N_MELS)
    spec = MelSpec(SAMPLE_RATE, N_FFT, HOP, N_MELS, 0.0, F_MAX)
    torch.testing.assert_close(ours[:, 0], log_mel(audio, spec), rtol=0, atol=1e-4)


def test_the_schedule_is_the_one_in_the_folder() -> None:
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler.from_config(networks.SCHEDULER)
    torch.testing.assert_close(networks.alphas_cumprod(), scheduler.alphas_cumprod, rtol=1e-4, atol=1e-6)
