# SPDX-License-Identifier: GPL-3.0-or-later
"""A small classifier of `mel_frames`: its network, what it is spared and not spared in its lessons, and the course."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from server.measure.mel_frames import N_FRAMES, SPEC
from server.models.mel import mel_bank

FLOOR, SPREAD = -5.0, 3.0  # brings log-mels to about -2..2


class MelClassifier(nn.Module):
    """Four convolutions and their mean, maximum and deviation over time; beside them, each band's own; then two layers.

    The bands' own statistics tell many classes apart by themselves, and so the rest learns sooner.
    """

    def __init__(self, n_classes: int, width: int = 16) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((1, width), (width, 2 * width), (2 * width, 4 * width), (4 * width, 4 * width)):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        n_heard, n_plain = 3 * 4 * width * SPEC.n_mels // 16, 4 * SPEC.n_mels
        self.head = nn.Sequential(nn.BatchNorm1d(n_heard + n_plain), nn.Dropout(0.3), nn.Linear(n_heard + n_plain, 256),
                                  nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, n_classes))

    def features(self, mels: Tensor) -> Tensor:
        """What the head reads `[clips, features]`, of mels `[clips, frames, 64]`."""
        seen = (mels - FLOOR) / SPREAD
        heard = self.body(seen[:, None]).transpose(2, 3)
        plain = [seen.mean(1), seen.amax(1), seen.std(1), seen.diff(dim=1).abs().mean(1)]
        return torch.cat([torch.cat([heard.mean(3), heard.amax(3), heard.std(3)], 1).flatten(1), *plain], 1)

    def forward(self, mels: Tensor) -> Tensor:
        """Logits `[clips, classes]`."""
        return self.head(self.features(mels))


@dataclass(frozen=True)
class Course:
    """How long the classifier learns, and by what seed."""

    steps: int = 700
    batch: int = 64
    learning_rate: float = 2e-3
    seed: int = 0


def teach(mels: Tensor, targets: Tensor, weights: Tensor, n_classes: int, course: Course) -> MelClassifier:
    """A classifier taught on mels `[clips, frames, 64]`, at least as long as a clip, drawn by their weights."""
    generator = torch.Generator().manual_seed(course.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(course.seed)
        classifier = MelClassifier(n_classes)
        optimiser = torch.optim.AdamW(classifier.parameters(), course.learning_rate, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, course.learning_rate, course.steps, pct_start=0.15)
        for _ in range(course.steps):
            drawn = torch.multinomial(weights, course.batch, replacement=True, generator=generator)
            logits = classifier(varied(mels[drawn], generator))
            loss = F.cross_entropy(logits, targets[drawn], label_smoothing=0.05)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
    return classifier.eval()


def varied(mels: Tensor, generator: torch.Generator) -> Tensor:
    """A random stretch of each clip, changed as other rooms, microphones, rates and company would change it.

    Start, pitch by up to two bands, colour, level, grain, floor, upper limit of the band, a faint other sound behind it,
    and a stretch of time and a few bands not heard at all.
    """
    n = len(mels)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, 1, 1, generator=generator)

    cut = _shifted(mels, generator)
    colour = uniform(-1.2, 1.2) * torch.linspace(-1, 1, SPEC.n_mels)
    bump = uniform(-1.0, 1.0) * torch.exp(-0.5 * ((torch.arange(SPEC.n_mels) - uniform(0, 63)) / 6) ** 2)
    grain = uniform(0, 0.3) * torch.randn(cut.shape, generator=generator)
    made = cut + colour + bump + uniform(-1.0, 0.5) + grain
    behind = cut[torch.randperm(n, generator=generator)] - uniform(2.0, 9.0)
    made = torch.where(uniform(0, 1) < 0.25, torch.logaddexp(made, behind), made)
    limit_hz = torch.where(uniform(0, 1) < 0.5, 16000.0, torch.exp(uniform(8.15, 9.68)))  # 3.5 to 16 kHz
    made = torch.where(band_hz() > limit_hz, -11.5, made)
    made = torch.maximum(made, uniform(-11.5, -7.5))
    return torch.where(_masked(n, made.shape[1], 16, generator)[:, :, None] | _masked(n, 64, 6, generator)[:, None],
                       FLOOR, made)


def band_hz() -> Tensor:
    """Centre of each mel band, Hz."""
    hz = torch.linspace(0, SPEC.sample_rate / 2, SPEC.n_fft // 2 + 1)
    return hz[mel_bank(SPEC).argmax(0)]


def _shifted(mels: Tensor, generator: torch.Generator) -> Tensor:
    """A stretch of `N_FRAMES` frames of each, bands moved by up to two."""
    n = len(mels)
    start = torch.randint(0, mels.shape[1] - N_FRAMES + 1, (n, 1), generator=generator)
    frames = (start + torch.arange(N_FRAMES))[:, :, None].expand(-1, -1, SPEC.n_mels)
    shift = torch.randint(-2, 3, (n, 1), generator=generator)
    bands = (shift + torch.arange(SPEC.n_mels)).clamp(0, SPEC.n_mels - 1)[:, None, :].expand(-1, N_FRAMES, -1)
    return mels.gather(1, frames).gather(2, bands)


def _masked(n: int, length: int, longest: int, generator: torch.Generator) -> Tensor:
    """A stretch of up to `longest` of `length` places, for each of `n`: bool [n, length]."""
    long = torch.randint(0, longest + 1, (n, 1), generator=generator)
    start = torch.randint(0, length, (n, 1), generator=generator)
    place = torch.arange(length)
    return (place >= start) & (place < start + long)
