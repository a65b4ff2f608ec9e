# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
import torch

from server.measure import ear
from server.measure.lessons import LONGER, Lessons
from server.measure.mel_classifier import Course
from server.measure.mel_frames import N_FRAMES, POOL, SPEC


def lessons() -> Lessons:
    """Two classes of two folds and the corpus: level tells them apart in mels, the sign in features. Fold 1 is wrong."""
    targets = [k % 2 for k in range(24)]
    folds = [k // 8 - 1 for k in range(24)]
    said = torch.tensor([1 - target if fold == 1 else target for target, fold in zip(targets, folds, strict=True)])
    generator = torch.Generator().manual_seed(0)
    mels = torch.randn(24, LONGER // SPEC.hop // POOL, 64, generator=generator) - 5 + 3 * (said[:, None, None] * 2.0 - 1)
    features = torch.randn(24, 3, generator=generator) * 0.1 + (said * 2.0 - 1)[:, None]
    return Lessons(mels, features, targets, folds)


def test_an_ear_weighs_both_and_never_hears_its_fold() -> None:
    course = Course(steps=20, batch=8)
    taken = lessons()
    taught = ear.teach(taken, 1, 2, course)
    mels, features = taken.mels[:16, :N_FRAMES], taken.features[:16]
    said = taught(mels, features)
    assert said.argmax(1).tolist() == taken.targets[:16]
    with torch.no_grad():
        apart = taught.of_mels(mels).log_softmax(1), taught.of_features(features).log_softmax(1)
    assert torch.allclose(said, ear.MEL_SHARE * apart[0] + (1 - ear.MEL_SHARE) * apart[1])
    kept = ear.from_state(taught.state_dict(), 2)
    assert torch.equal(kept(mels, features), said)
    assert taught(taken.mels[16:, :N_FRAMES], taken.features[16:]).argmax(1).tolist() != pytest.approx(taken.targets[16:])
