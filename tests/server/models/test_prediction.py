# SPDX-License-Identifier: GPL-3.0-or-later
"""x0 and target of each form of prediction are each other's inverse."""

from __future__ import annotations

import pytest
import torch

from server.models.prediction import target_of, x0_of


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("angle", [0.1, 0.8, 1.5])
def test_a_perfect_answer_gives_x0(normal, prediction, angle):
    x0, noise = normal(2, 3, 4).double(), normal(2, 3, 4, seed=1).double()
    alpha, sigma = torch.tensor(angle).double().cos(), torch.tensor(angle).double().sin()
    x = alpha * x0 + sigma * noise
    answer = target_of(x0, noise, alpha, sigma, prediction)
    torch.testing.assert_close(x0_of(answer, x, alpha, sigma, prediction), x0, rtol=0, atol=1e-12)
