"""Short pieces of corpus items as they are, for the vocoder, which needs much sound and no words."""

import numpy as np
import torch
from torch import Tensor

from .corpus import Corpus, item_weights

PEAK = 0.55  # a little over the peak of the clips that the model is given
SOFTEST_DB = 15.0
MIXED = 0.25  # share of pieces that are two at once
LOUDEST_OF = 3  # most of a decaying sound is tail: a piece is the loudest of so many, three times in four


class Pieces:
    """Draws pieces of `samples` from the rows of a corpus by class weight."""

    def __init__(self, corpus: Corpus, rows: np.ndarray, samples: int) -> None:
        self.corpus, self.rows, self.samples = corpus, rows, samples
        self.cumulative = np.cumsum(item_weights(corpus, rows))

    def draw(self, rng: np.random.Generator, count: int) -> Tensor:
        """Pieces `[count, samples]` float32 on the CPU, of levels as in use or softer."""
        pieces = np.stack([self._one(rng) for _ in range(count)])
        for k in range(round(MIXED * count)):
            pieces[k] = 0.6 * pieces[k] + 0.4 * self._one(rng)
        gain = PEAK * 10 ** (-rng.uniform(0, SOFTEST_DB, (count, 1)) / 20)
        return torch.from_numpy((pieces * gain).astype(np.float32))

    def _one(self, rng: np.random.Generator) -> np.ndarray:
        at = np.searchsorted(self.cumulative, rng.random() * self.cumulative[-1])
        item = self.corpus.audio[self.rows[min(at, len(self.rows) - 1)]]
        starts = rng.integers(0, len(item) - self.samples + 1, LOUDEST_OF)
        levels = [np.abs(item[s:s + self.samples:16].astype(np.float32)).mean() for s in starts]
        start = starts[np.argmax(levels)] if rng.random() < 0.75 else starts[0]
        return item[start:start + self.samples].astype(np.float32) / 32768
