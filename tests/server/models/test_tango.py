# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from diffusers import DDPMScheduler

from server.errors import InvalidOption


@pytest.fixture(scope="module")
def backbone(tiny_backbone):
    return tiny_backbone("tango")


def test_it_predicts_velocity_on_the_schedule_of_stable_diffusion_2_1(backbone, tiny_folder):
    assert backbone.prediction == "v_prediction" and backbone.facts.guidance == 3.0
    scheduler = DDPMScheduler.from_pretrained(tiny_folder("tango") / "scheduler")
    scheduler.set_timesteps(100)
    levels = backbone.levels(100)
    assert levels.time[:-1].tolist() == scheduler.timesteps.tolist()
    assert levels.sigma[-1] == 0, "its own sampler ends at a signal of 1"
    assert (levels.sigma / levels.alpha)[0] < 14.6


def test_prompts_are_never_cut(backbone):
    assert backbone.condition("a" * 120, 1.0).tensors["tokens"].shape[1] > 120
    with pytest.raises(InvalidOption, match=r"reads at most 128\. Shorten"):
        backbone.condition("a" * 200, 1.0)
