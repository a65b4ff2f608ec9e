# SPDX-License-Identifier: GPL-3.0-or-later
"""From the answer that is right by definition, x0 comes out."""

from __future__ import annotations

import pytest
import torch

from server.models.prediction import x0_of


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("angle", [0.1, 0.8, 1.5])
def test_a_perfect_answer_gives_x0(normal, prediction, angle):
    x0, noise = normal(2, 3, 4).double(), normal(2, 3, 4, seed=1).double()
    alpha, sigma = torch.tensor(angle).double().cos(), torch.tensor(angle).double().sin()
    x = alpha * x0 + sigma * noise
    answer = {"epsilon": noise, "v_prediction": alpha * noise - sigma * x0, "sample": x0}[prediction]
    torch.testing.assert_close(x0_of(answer, x, alpha, sigma, prediction), x0, rtol=0, atol=1e-12)
