# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from server.models.embedded.augment import Bank, Mixing, Sampler
from server.models.embedded.corpus import Corpus
from server.models.embedded.fold import LinearFold, as_autoencoder
from server.models.embedded.format import CLIP_FRAMES, FOLD, LATENT_CHANNELS, N_MELS
from server.models.embedded.latents import Encoded, PoolPlan, Pools


def length_of(prompts: list[str]) -> Tensor:
    """A text tower that reads nothing but length."""
    return torch.tensor([[float(len(prompt))] for prompt in prompts])


def pools(corpus: Corpus, folder: Path | None = None) -> Pools:
    torch.manual_seed(0)
    rows, device = corpus.of_split("train"), torch.device("cpu")
    vae = as_autoencoder(LinearFold(LATENT_CHANNELS)).eval()
    return Pools(Sampler(corpus, rows, Mixing(0.5, 0.0)), Bank(corpus, rows, device), vae, length_of, PoolPlan(4, 1, 2), 7,
                 folder)


def same(a: Encoded, b: Encoded) -> bool:
    return all(torch.equal(x, y) for x, y in zip(vars(a).values(), vars(b).values(), strict=True))


def test_a_pool_is_a_function_of_seed_and_number(corpus: Corpus) -> None:
    one, other = pools(corpus), pools(corpus)
    made = one.get(1)
    assert made.latents.shape == (4, LATENT_CHANNELS, CLIP_FRAMES, N_MELS // FOLD) and made.latents.dtype == torch.float16
    other.get(0)
    assert same(made, other.get(1)) and not same(made, other.get(0))
    assert one.get(1) is made  # not encoded again


def test_the_present_pool_is_kept_on_disk(corpus: Corpus, tmp_path: Path) -> None:
    made = pools(corpus, tmp_path).get(3)
    again = pools(corpus, tmp_path)
    again.sampler = None  # would fail, were it asked
    assert same(made, again.get(3))
    pools(corpus, tmp_path).get(4)
    assert [path.name for path in tmp_path.iterdir()] == ["pool-4.pt"]


def test_what_is_heard_is_what_was_mixed(corpus: Corpus) -> None:
    heard = pools(corpus).get(0).heard
    assert heard.shape == (4, len(corpus.classes)) and set(heard.flatten().tolist()) <= {0.0, 1.0}
    assert (heard.sum(1) >= 1).all() and (heard.sum(1) <= 2).all()


def test_a_piece_is_the_same_stretch_of_all_clips() -> None:
    ramp = torch.arange(10.0).reshape(1, 1, 10, 1).expand(3, 2, 10, 2)
    clips = Encoded(ramp, torch.zeros(3, 1), torch.zeros(3, 1))
    piece = clips.piece(4, torch.Generator().manual_seed(2))
    assert piece.latents.shape == (3, 2, 4, 2)
    assert (piece.latents[0, 0, :, 0].diff() == 1).all() and (piece.latents == piece.latents[:1, :1, :, :1]).all()
    assert clips.piece(10, torch.Generator()) is clips
    with pytest.raises(IndexError):
        clips.at(torch.tensor([3]))
