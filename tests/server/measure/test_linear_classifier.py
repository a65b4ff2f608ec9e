# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
import torch

from server.measure.linear_classifier import FARTHEST, teach


def lessons() -> tuple[torch.Tensor, torch.Tensor]:
    """Three classes, each beyond the others in one of five features; the features' units differ widely."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(60) % 3
    features = torch.randn(60, 5, generator=generator)
    features[torch.arange(60), targets] += 3
    return features * torch.tensor([1e-3, 1.0, 1e3, 1.0, 0.0]) + 7, targets


def test_it_tells_classes_apart_in_any_units_and_always_alike() -> None:
    features, targets = lessons()
    taught = teach(features, targets, torch.ones(60), 3)
    assert (taught(features).argmax(1) == targets).float().mean() > 0.9
    assert torch.equal(taught.weigh.weight, teach(features, targets, torch.ones(60), 3).weigh.weight)


def test_what_weighs_nothing_is_not_learned_from() -> None:
    features, targets = lessons()
    weights = torch.ones(60)
    weights[::4] = 0
    spoilt = features.clone()
    spoilt[::4] = torch.nan
    taught = teach(spoilt, targets, weights, 3)
    assert torch.equal(taught.weigh.weight, teach(features, targets, weights, 3).weigh.weight)


def test_a_heavier_lesson_counts_for_more() -> None:
    features, targets = torch.zeros(2, 1), torch.tensor([0, 1])
    said = teach(features, targets, torch.tensor([3.0, 1.0]), 2, steps=100)(torch.zeros(1, 1)).softmax(1)
    assert said[0, 0].item() == pytest.approx(0.75, abs=0.03)  # some less for the smoothing of the targets


def test_a_feature_far_from_all_lessons_is_heard_no_farther_than_so() -> None:
    features, targets = lessons()
    taught = teach(features, targets, torch.ones(60), 3)
    assert taught.standard(features + 1e6).abs().max() == FARTHEST
