# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math

import numpy as np
import torch

from server.models.embedded import networks
from server.models.embedded.format import SPEC
from server.models.embedded.vocoder_network import make_vocoder
from server.models.mel_spec import MelSpec


def test_the_mel_is_the_one_that_the_model_is_rendered_with() -> None:
    config = make_vocoder(np.zeros(SPEC.n_mels), np.ones(SPEC.n_mels), channels=32).config
    assert SPEC == MelSpec(config.sampling_rate, config.mel_n_fft, math.prod(config.upsample_rates), config.model_in_dim,
                           0.0, config.sampling_rate / 2)


def test_the_schedule_is_the_one_in_the_folder() -> None:
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler.from_config(networks.SCHEDULER)
    torch.testing.assert_close(networks.alphas_cumprod(), scheduler.alphas_cumprod, rtol=1e-4, atol=1e-6)
