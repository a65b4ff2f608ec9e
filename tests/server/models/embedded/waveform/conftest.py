# SPDX-License-Identifier: GPL-3.0-or-later
"""The waveform model's codec, measured on the tiny corpus, and its pools of four clips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from server.models.embedded.augment import Bank, Mixing, Sampler
from server.models.embedded.corpus import Corpus
from server.models.embedded.latents import PoolPlan
from server.models.embedded.waveform.pools import Pools
from server.models.embedded.waveform.train_codec import load_codec, train_codec

CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def codec_work(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder after the stage `codec`."""
    work = tmp_path_factory.mktemp("waveform")
    train_codec(corpus, work, count=8, seed=2, device=CPU)
    return work


@pytest.fixture
def pools(corpus: Corpus, codec_work: Path) -> Callable[[Path | None], Pools]:
    """`pools(folder)`: pools of four clips, kept in a folder or not."""
    rows = corpus.of_split("train")

    def make(folder: Path | None) -> Pools:
        return Pools(Sampler(corpus, rows, Mixing()), Bank(corpus, rows, CPU), load_codec(codec_work, CPU),
                     PoolPlan(4, 2, 2), 5, folder)

    return make
