# SPDX-License-Identifier: GPL-3.0-or-later
"""A corpus of a few clips and a model trained on it for two steps per stage, both made once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from server.models.embedded import corpus as corpora
from server.models.embedded.augment import Mixing
from server.models.embedded.corpus import Corpus, Plan
from server.models.embedded.export import export
from server.models.embedded.loop import Settings
from server.models.embedded.train_unet import PoolPlan, train_unet
from server.models.embedded.train_vae import train_vae
from server.models.embedded.train_vocoder import train_vocoder
from server.models.loading import load
from server.models.mel_backbone import MelBackbone

CLASSES = ("struck metal", "drone", "rain")
PLAN = Plan(synthetic=(2, 1, 2), classes=CLASSES)
VAE_CHANNELS, UNET_CHANNELS, VOCODER_CHANNELS = (8, 16, 16), (16, 32, 32), 16


@dataclass(frozen=True)
class Trained:
    """A work folder as the recipe leaves it, and the channels of its networks."""

    work: Path
    unet_channels: tuple[int, ...] = UNET_CHANNELS
    vocoder_channels: int = VOCODER_CHANNELS


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    corpora.build(None, folder, seed=3, plan=PLAN)
    return folder


@pytest.fixture(scope="session")
def corpus(corpus_folder: Path) -> Corpus:
    """Three classes of a synthetic corpus."""
    return corpora.load(corpus_folder, CLASSES)


@pytest.fixture(scope="session")
def vae_steps(corpus: Corpus) -> Callable[[Path, int], Path]:
    """`vae_steps(work, n)`: train, or go on training, the autoencoder by `n` steps; gives its checkpoint."""

    def run(work: Path, steps: int) -> Path:
        settings = Settings(steps=steps, device="cpu", seed=5, batch=2, learning_rate=1e-3)
        return train_vae(corpus, work, settings, VAE_CHANNELS, measured_clips=4).path

    return run


@pytest.fixture(scope="session")
def trained(corpus: Corpus, vae_steps: Callable[[Path, int], Path], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    torch.set_num_threads(1)
    work = tmp_path_factory.mktemp("work")
    settings = Settings(steps=2, device="cpu", seed=5, batch=2, learning_rate=1e-3)
    vae_steps(work, 2)
    train_vocoder(corpus, work, settings, adversarial_after=1, channels=VOCODER_CHANNELS, measured_clips=4)
    train_unet(corpus, work, settings, PoolPlan(clips=4, uses=1, chunk=4), UNET_CHANNELS, Mixing(), text_steps=2)
    return Trained(work)


@pytest.fixture(scope="session")
def weights(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder exported from it."""
    folder = tmp_path_factory.mktemp("weights")
    export(trained.work, folder, trained.unet_channels, trained.vocoder_channels)
    return folder


@pytest.fixture(scope="session")
def tiny_model(weights: Path) -> MelBackbone:
    """The backbone of that folder, by the project's own loader."""
    return load(str(weights), device="cpu")


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of six narrow layers, never trained, with a word-piece tokenizer, in the files of all-MiniLM-L6-v2."""
    from string import ascii_lowercase, digits

    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("bert")
    letters = [*ascii_lowercase, *digits, *",.-'"]
    words = "the of a in to metal struck plate dark bright drone rain heavy light roof sound gong hum dull wall".split()
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters), *words,
              "##ing", "##ed", "##ness"]
    core = Tokenizer(models.WordPiece({piece: k for k, piece in enumerate(pieces)}, unk_token="[UNK]"))
    core.normalizer, core.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece()
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    core.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(pieces), hidden_size=16, num_hidden_layers=6, num_attention_heads=2,
                        intermediate_size=24, max_position_embeddings=160, initializer_range=0.5)
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder
