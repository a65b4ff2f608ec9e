# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import torch
from diffusers import AutoencoderOobleck
from torch import nn

from server.models.components import building
from server.models.idle_units import without_idle_units


@torch.no_grad()
def test_only_units_that_add_nothing_go_and_answers_stay_to_the_bit() -> None:
    torch.manual_seed(0)
    with building():
        network = AutoencoderOobleck(encoder_hidden_size=8, downsampling_ratios=[2, 4], channel_multiples=[1, 2],
                                     decoder_channels=4, decoder_input_channels=4, audio_channels=2, sampling_rate=8000)
    idle = network.decoder.block[0].res_unit2.conv2
    idle.weight_g.zero_()
    idle.bias.zero_()
    network.encoder.block[0].res_unit1.conv2.weight_g.zero_()  # its bias is left: it adds something
    latents, audio = torch.randn(1, 4, 10), torch.randn(1, 2, 80)
    before = network.decode(latents).sample, network.encode(audio).latent_dist.mode()
    without_idle_units(network)
    assert torch.equal(network.decode(latents).sample, before[0])
    assert torch.equal(network.encode(audio).latent_dist.mode(), before[1])
    units = [name for name, unit in network.named_modules() if "res_unit" in name and isinstance(unit, nn.Identity)]
    assert units == ["decoder.block.0.res_unit2"]
