# SPDX-License-Identifier: GPL-3.0-or-later
"""A corpus of a few clips and a model trained on it for two steps per stage, both made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from server.models.embedded import corpus as corpora
from server.models.embedded.augment import Mixing
from server.models.embedded.corpus import Corpus, Plan
from server.models.embedded.export import export
from server.models.embedded.latents import PoolPlan
from server.models.embedded.loop import Settings
from server.models.embedded.text_tower import TextTower
from server.models.embedded.train_text import TextPlan, train_text
from server.models.embedded.train_unet import UnetPlan, train_unet
from server.models.embedded.train_vae import train_vae
from server.models.embedded.train_vocoder import train_vocoder
from server.models.loading import load
from server.models.mel_backbone import MelBackbone

CLASSES = ("struck metal", "drone", "rain")
PLAN = Plan(synthetic=(2, 1, 2), classes=CLASSES)
UNET_CHANNELS, VOCODER_CHANNELS = (16, 32, 32), 32
TEXT = TextPlan(common=40, near=40, endings=20, captions=20, phrases=20, words=20, epochs=1, steps=5, batch=16)


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
        return train_vae(corpus, work, settings, measured_clips=8, linear_steps=30).path

    return run


@pytest.fixture(scope="session")
def work(corpus: Corpus, vae_steps: Callable[[Path, int], Path], bert_folder: Path,
         tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder as the recipe leaves it, after two steps of every stage."""
    work = tmp_path_factory.mktemp("work")
    settings = Settings(steps=2, device="cpu", seed=5, batch=2, learning_rate=1e-3)
    train_text(corpus, work, settings, bert_folder, TEXT)
    vae_steps(work, 2)
    train_vocoder(corpus, work, settings, VOCODER_CHANNELS, measured_clips=4)
    plan = UnetPlan(PoolPlan(clips=6, uses=1, chunk=3), frames=32, whole_every=2, listen_every=2, per_class=1)
    train_unet(corpus, work, settings, plan, UNET_CHANNELS, Mixing(), TextTower.load(work))
    return work


@pytest.fixture(scope="session")
def weights(work: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder exported from it."""
    folder = tmp_path_factory.mktemp("weights")
    export(work, folder)
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
    words = "the of in to metal struck plate dark bright drone rain heavy light roof sound gong hum dull wall".split()
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
