"""The judge: a small classifier of log-mels, trained on clips that no network of the model has seen.

It hears the classes of a corpus; the evaluation asks it which class it hears in generated clips.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .corpus import Corpus
from .format import CLIP_SAMPLES, HOP, ITEM_SAMPLES, N_MELS
from .networks import LogMel

POOL = 4  # mel frames averaged into one, 40 ms
CLIP_FRAMES = CLIP_SAMPLES // HOP // POOL
FLOOR, SPREAD = -5.0, 3.0  # brings log-mels to about -1..2


class Judge(nn.Module):
    """Four convolutions, then mean, maximum and deviation over time of every channel and band: logits."""

    def __init__(self, n_classes: int, width: int = 16) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((1, width), (width, 2 * width), (2 * width, 4 * width), (4 * width, 4 * width)):
            layers += [nn.Conv2d(inputs, outputs, 3, 2 if inputs > 1 else (1, 2), 1), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(3 * 4 * width * N_MELS // 16, n_classes))

    def forward(self, mel: Tensor) -> Tensor:
        """`mel`: pooled log-mels `[batch, 1, frames, 64]` as `pooled_mels` gives them."""
        heard = self.body((mel - FLOOR) / SPREAD).transpose(2, 3)
        return self.head(torch.cat([heard.mean(3), heard.amax(3), heard.std(3)], 1).flatten(1))


@dataclass(frozen=True)
class Lessons:
    """How long the judge learns."""

    epochs: int = 14
    batch: int = 64
    learning_rate: float = 2e-3
    seed: int = 0


@torch.no_grad()
def pooled_mels(audio: Tensor, chunk: int = 32) -> Tensor:
    """Log-mels of clips `[batch, samples]` scaled to peak 0.5, four frames averaged: `[batch, 1, frames / 4, 64]`."""
    log_mel = LogMel()
    made = []
    for part in audio.split(chunk):
        part = part - part.mean(1, keepdim=True)
        mel = log_mel(part * (0.5 / (part.abs().amax(1, keepdim=True) + 1e-6)))
        made.append(F.avg_pool2d(mel, (POOL, 1)))
    return torch.cat(made)


def classes_in_use(corpus: Corpus) -> list[int]:
    """Vocabulary indices of the corpus's classes; the judge's class k is the k-th of them."""
    return sorted(corpus.classes)


def clips_of(corpus: Corpus, rows: np.ndarray, samples: int = ITEM_SAMPLES) -> Tensor:
    """The first `samples` of corpus rows, without mean, at peak 0.5: `[rows, samples]` float32."""
    audio = torch.from_numpy(np.asarray(corpus.audio[rows, :samples])).float() / 32768
    audio = audio - audio.mean(1, keepdim=True)
    return audio * (0.5 / (audio.abs().amax(1, keepdim=True) + 1e-6))


def even_rows(corpus: Corpus, split: str, per_class: int, seed: int) -> np.ndarray:
    """`per_class` rows of each class in use, evenly over its kinds (synthesis, recording, soundfont), in class order."""
    rng, rows = np.random.default_rng([seed, 95]), corpus.of_split(split)
    chosen: list[int] = []
    for index in classes_in_use(corpus):
        kinds: dict[str, list[int]] = {}
        for row in rng.permutation(rows):
            if corpus.items[row]["class"] == index:
                kinds.setdefault(corpus.items[row]["kind"], []).append(int(row))
        if not kinds:
            raise ValueError(f"The corpus has no {split} clips of class {index}: build it with more clips.")
        depth = max(map(len, kinds.values()))
        turns = [kinds[kind][turn] for turn in range(depth) for kind in sorted(kinds) if turn < len(kinds[kind])]
        chosen += turns[:per_class]
    return np.array(chosen)


def targets(corpus: Corpus, rows: np.ndarray) -> Tensor:
    """The judge's class of each row, int64."""
    order = {index: k for k, index in enumerate(classes_in_use(corpus))}
    return torch.tensor([order[corpus.items[row]["class"]] for row in rows])


def _varied(mels: Tensor, generator: torch.Generator) -> Tensor:
    """A random stretch of each clip, its level, colour, pitch and floor changed as rooms and microphones would."""
    n = len(mels)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, 1, 1, 1, generator=generator)

    start = torch.randint(0, mels.shape[2] - CLIP_FRAMES + 1, (n, 1), generator=generator)
    frames = (start + torch.arange(CLIP_FRAMES))[:, None, :, None].expand(-1, -1, -1, N_MELS)
    shift = torch.randint(-2, 3, (n, 1), generator=generator)
    bands = (shift + torch.arange(N_MELS)).clamp(0, N_MELS - 1)[:, None, None, :].expand(-1, -1, CLIP_FRAMES, -1)
    cut = mels.gather(2, frames).gather(3, bands)
    slope = uniform(-0.8, 0.8) * torch.linspace(-1, 1, N_MELS)
    grain = 0.25 * torch.rand(n, 1, 1, 1, generator=generator) * torch.randn(cut.shape, generator=generator)
    return torch.maximum(cut + slope + uniform(-1.0, 0.5) + grain, uniform(-11.5, -7.5))


def _batches(count: int, lessons: Lessons, generator: torch.Generator) -> Iterator[Tensor]:
    for _ in range(lessons.epochs):
        yield from torch.randperm(count, generator=generator).split(lessons.batch)


def train_judge(corpus: Corpus, lessons: Lessons | None = None, per_class: int = 1000) -> Judge:
    """A judge taught on the split `judge` of the classes in use; a function of corpus and lessons."""
    lessons = lessons or Lessons()
    rows = even_rows(corpus, "judge", per_class, lessons.seed)
    mels = torch.cat([pooled_mels(clips_of(corpus, part)) for part in np.array_split(rows, max(1, len(rows) // 64))])
    wanted, generator = targets(corpus, rows), torch.Generator().manual_seed(lessons.seed)
    weight = 1 / torch.bincount(wanted).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(lessons.seed)
        judge = Judge(len(weight))
        optimiser = torch.optim.AdamW(judge.parameters(), lessons.learning_rate, weight_decay=1e-2)
        n_steps = lessons.epochs * -(-len(rows) // lessons.batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, lessons.learning_rate, n_steps, pct_start=0.15)
        for picked in _batches(len(rows), lessons, generator):
            logits = judge(_varied(mels[picked], generator))
            loss = F.cross_entropy(logits, wanted[picked], weight / weight.mean(), label_smoothing=0.05)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
    return judge.eval()


@torch.no_grad()
def hear(judge: Judge, audio: Tensor) -> Tensor:
    """The class that the judge hears in each clip `[batch, samples]`, int64 `[batch]`."""
    return judge(pooled_mels(audio)).argmax(1)
