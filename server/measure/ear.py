# SPDX-License-Identifier: GPL-3.0-or-later
"""One ear of the judge: two classifiers, and the weighted mean of their log-probabilities.

One, of what `listening` hears, knows more of the world and is right about recordings more often. The other, of mels, is
taught to hear through rooms, noise and narrow bands; what a mel model makes of a sound disturbs it less.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from server.measure import linear_classifier, mel_classifier
from server.measure.lessons import Lessons, weights
from server.measure.linear_classifier import LinearClassifier
from server.measure.mel_classifier import MelClassifier

MEL_SHARE = 0.3
"""What the classifier of mels counts for. From 0.2 to 0.4 hardly changes how often recordings are recognised."""


class Ear(nn.Module):
    """The two classifiers."""

    def __init__(self, of_mels: MelClassifier, of_features: LinearClassifier) -> None:
        super().__init__()
        self.of_mels, self.of_features = of_mels, of_features

    @torch.no_grad()
    def forward(self, mels: Tensor, features: Tensor) -> Tensor:
        """Log-probabilities `[clips, classes]` of mels `[clips, N_FRAMES, 64]` and features `[clips, features]`."""
        return torch.lerp(self.of_features(features).log_softmax(1), self.of_mels(mels).log_softmax(1), MEL_SHARE)


def teach(lessons: Lessons, which: int, n_classes: int, course: mel_classifier.Course) -> Ear:
    """The ear that hears no lesson of the fold `which`."""
    counting, targets = weights(lessons.targets, lessons.folds, which), torch.tensor(lessons.targets)
    of_features = linear_classifier.teach(lessons.features, targets, counting, n_classes)
    return Ear(mel_classifier.teach(lessons.mels, targets, counting, n_classes, course), of_features).eval()


def from_state(state: dict[str, Tensor], n_classes: int) -> Ear:
    """The ear whose state is kept."""
    ear = Ear(MelClassifier(n_classes), LinearClassifier(len(state["of_features.mean"]), n_classes))
    ear.load_state_dict(state)
    return ear.eval()
