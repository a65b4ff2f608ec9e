# SPDX-License-Identifier: GPL-3.0-or-later
"""Multinomial logistic regression: classes from features by one matrix, the same for the same lessons."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FARTHEST = 6.0  # deviations: a feature is heard no farther from its mean
SMOOTHING = 0.05  # of the targets


class LinearClassifier(nn.Module):
    """Standardises features and weighs them."""

    def __init__(self, n_features: int, n_classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("deviation", torch.ones(n_features))
        self.weigh = nn.Linear(n_features, n_classes)
        nn.init.zeros_(self.weigh.weight)
        nn.init.zeros_(self.weigh.bias)

    def standard(self, features: Tensor) -> Tensor:
        """Features `[clips, features]` at mean 0 and deviation 1 of the lessons."""
        return ((features - self.mean) / self.deviation).clamp(-FARTHEST, FARTHEST)

    def forward(self, features: Tensor) -> Tensor:
        """Logits `[clips, classes]`."""
        return self.weigh(self.standard(features))


def teach(features: Tensor, targets: Tensor, weights: Tensor, n_classes: int, penalty: float = 1e-2,
          steps: int = 40) -> LinearClassifier:
    """The classifier of lessons `[lessons, features]`, each counting by its weight, by `steps` of L-BFGS.

    penalty: of the matrix's squares, beside the mean cross entropy.
    """
    heard = weights > 0
    features, targets, weights = features[heard], targets[heard], weights[heard] / weights[heard].sum()
    made = LinearClassifier(features.shape[1], n_classes)
    made.mean = weights @ features
    made.deviation = (weights @ (features - made.mean).square()).sqrt() + 1e-3
    standard = made.standard(features)
    optimiser = torch.optim.LBFGS(made.weigh.parameters(), max_iter=steps, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        wrong = F.cross_entropy(made.weigh(standard), targets, reduction="none", label_smoothing=SMOOTHING)
        total = (wrong * weights).sum() + penalty * made.weigh.weight.square().sum()
        total.backward()
        return total

    optimiser.step(loss)
    return made.eval().requires_grad_(False)
