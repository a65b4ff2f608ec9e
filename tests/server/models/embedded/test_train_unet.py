# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from server.models.embedded.latents import Encoded
from server.models.embedded.train_unet import DROP, Target, error, held_out_error, step_error, target
from server.models.prediction import x0_of

N = 400


class Asked(nn.Module):
    """Answers with zeros and keeps the class labels that it was asked with."""

    def forward(self, x: Tensor, levels: Tensor, encoder_hidden_states: None, class_labels: Tensor) -> object:
        self.labels, self.levels = class_labels, levels

        class Answer:
            sample = torch.zeros_like(x)

        return Answer


def batch(n: int = N) -> Encoded:
    generator = torch.Generator().manual_seed(3)
    return Encoded(torch.randn(n, 2, 3, 4, generator=generator).half(), torch.ones(n, 5), torch.ones(n, 1))


@pytest.mark.parametrize("prediction", ["v_prediction", "epsilon"])
def test_the_target_is_what_the_adapter_turns_into_x0(prediction: str) -> None:
    aim = Target(*(getattr(target(torch.device("cpu")), name) for name in ("alpha", "sigma")), prediction)
    x0, noise, levels = batch(3).latents.float(), torch.randn(3, 2, 3, 4), torch.tensor([10, 500, 990])
    x, wanted = aim.noised(x0, noise, levels)
    alpha, sigma = (v[levels].reshape(-1, 1, 1, 1) for v in (aim.alpha, aim.sigma))
    torch.testing.assert_close(x0_of(wanted, x, alpha, sigma, prediction), x0, rtol=1e-3, atol=1e-3)


def test_levels_lean_to_the_noisy_and_a_tenth_is_asked_for_nothing() -> None:
    net, null = Asked(), torch.zeros(1, 5)
    step_error(net, batch(), null, target(torch.device("cpu")), torch.Generator().manual_seed(1))
    assert (net.labels.sum(1) == 0).float().mean().item() == pytest.approx(DROP, abs=0.04)
    assert 530 < net.levels.float().mean().item() < 600 and net.levels.max() < 1000


def test_the_error_of_no_answer_is_the_size_of_the_velocity() -> None:
    """alpha^2 + sigma^2 = 1, so the velocity of unit latents and unit noise has unit size at every level."""
    found = held_out_error(Asked(), batch(), target(torch.device("cpu")))
    assert all(value == pytest.approx(1, abs=0.05) for value in found.values()) and len(found) == 4


def test_each_clip_has_its_own_error() -> None:
    clips, aim = batch(4), target(torch.device("cpu"))
    noise, levels = torch.randn(4, 2, 3, 4), torch.full((4,), 300)
    together = error(Asked(), clips, clips.vectors, levels, noise, aim)
    alone = error(Asked(), clips.at(torch.tensor([2])), clips.vectors[2:3], levels[2:3], noise[2:3], aim)
    assert together.shape == (4,)
    torch.testing.assert_close(together[2:3], alone)
