# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import torch
from torch import Tensor, nn

from server.models.embedded import listen
from server.models.embedded.latents import Encoded
from server.models.embedded.networks import alphas_cumprod

SHAPE = (2, 8, 4)


def pool(n: int = 120) -> Encoded:
    """Two classes: latents around +1 and around -1, some clips of both; the text vectors say which."""
    generator = torch.Generator().manual_seed(1)
    heard = torch.eye(2)[torch.arange(n) % 2]
    heard[::10] = 1
    sign = (heard[:, 0] - heard[:, 1]).reshape(-1, 1, 1, 1)
    latents = sign + 0.3 * torch.randn(n, *SHAPE, generator=generator)
    return Encoded(latents.half(), torch.nn.functional.normalize(heard, dim=1), heard)


class Exact(nn.Module):
    """The velocity of latents that are +1 where the first class is asked for, -1 where the second is, 0 otherwise."""

    def forward(self, x: Tensor, time: Tensor, encoder_hidden_states: None, class_labels: Tensor) -> object:
        abar = alphas_cumprod()
        at = abar[time.round().long()].reshape(-1, 1, 1, 1)
        alpha, sigma = at.sqrt(), (1 - at).sqrt()
        x0 = (class_labels[:, 0] - class_labels[:, 1]).reshape(-1, 1, 1, 1).expand_as(x)

        class Answer:
            sample = (alpha * x - x0) / sigma

        return Answer


def test_the_ear_tells_classes_apart_and_is_a_function_of_the_seed() -> None:
    ear, again = (listen.taught(pool(), 4, steps=60, batch=16) for _ in range(2))
    single = pool().at(torch.tensor([1, 2, 3, 4]))
    with torch.no_grad():
        assert ear(single.latents.float()).argmax(1).tolist() == [1, 0, 1, 0]
    assert all(torch.equal(a, b) for a, b in zip(ear.state_dict().values(), again.state_dict().values(), strict=True))


def test_directions_are_the_vectors_of_single_clips() -> None:
    torch.testing.assert_close(listen.directions(pool()), torch.eye(2))


def test_agreement_is_full_for_a_model_that_obeys_and_none_for_one_that_does_the_contrary() -> None:
    ear = listen.taught(pool(), 4, steps=60, batch=16)
    asked, null = torch.eye(2), torch.zeros(1, 2)
    assert listen.agreement(Exact(), ear, asked, null, SHAPE, per_class=3) == 1.0
    assert listen.agreement(Exact(), ear, asked.flip(0), null, SHAPE, per_class=3) == 0.0
