# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of sounds becomes a model with a name, end to end, on toy networks of the embedded model's format."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from transformers import ClapTextConfig, ClapTextModelWithProjection

from server import training
from server.audio import Clip, write_clip
from server.errors import InvalidOption
from server.models.catalogue import find, sources
from server.models.embedded.export import INDEX
from server.models.embedded.finetune import check_base
from server.models.embedded.format import LATENT_CHANNELS
from server.models.embedded.networks import SCHEDULER, make_unet
from server.models.embedded.vocoder_network import make_vocoder
from server.models.loading import load
from server.models.tiny_tokenizers import roberta_tokenizer
from server.models.vocabularies import vocabulary_of
from server.training import Asked, train_own

TEXT_WIDTH = 128
LESSONS = {"steps": 2, "batch": 2, "pool": 4, "uses": 1}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of the embedded model's format, never trained."""
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    text = ClapTextModelWithProjection(ClapTextConfig(
        vocab_size=300, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=140, projection_dim=TEXT_WIDTH, type_vocab_size=1, pad_token_id=1))
    vae = AutoencoderKL(
        in_channels=1, out_channels=1, latent_channels=LATENT_CHANNELS, block_out_channels=(8, 8, 8, 8), layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, norm_num_groups=4)
    nets = {"unet": make_unet((16, 32, 32)), "vae": vae,
            "vocoder": make_vocoder(np.zeros(64), np.ones(64), 32), "text_encoder": text}
    for name, net in nets.items():
        net.eval().half().save_pretrained(folder / name)
    roberta_tokenizer(max_length=128).save_pretrained(folder / "tokenizer")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER), encoding="utf-8")
    (folder / "model_index.json").write_text(json.dumps(INDEX), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four sounds of two labels, 1.5 s each."""
    folder = tmp_path_factory.mktemp("archive")
    rng, time_s = np.random.default_rng(0), np.arange(48000) / 32000
    for k in range(2):
        made = {"wire hum": np.sin(2 * np.pi * (200 + 90 * k) * time_s), "gravel": rng.normal(size=48000)}
        for label, samples in made.items():
            (folder / label).mkdir(exist_ok=True)
            write_clip(folder / label / f"{k}.wav", Clip(0.2 * samples[None], 32000))
    return folder


@pytest.fixture(autouse=True)
def few_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "FEWEST", 2)
    monkeypatch.setattr(training, "CLIPS", 4)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that holds other models already."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "models.toml").write_text('[other]\nsource = "somebody/model"\n', encoding="utf-8")
    return folder


def asked(archive: Path | None, base: Path, **more: object) -> Asked:
    return Asked(archive, "my-wires", base=str(base), device="cpu", **more)


def test_a_folder_becomes_a_model_with_a_name(archive, base, home):
    told: list[dict] = []
    out = train_own(asked(archive, base), home, lambda event, **fields: told.append({"event": event, **fields}), LESSONS)
    (sounds,) = [event for event in told if event["event"] == "sounds"]
    assert sounds["labels"] == ["gravel", "wire hum"]
    assert (sounds["files"], sounds["seconds"]) == (4, pytest.approx(6.0, abs=0.3))
    assert any("only 6 s" in event.get("text", "") for event in told), "too little sound is told"

    assert set(sources(home)) > {"other", "my-wires", "embedded"}
    backbone = load("my-wires", home=home, device="cpu")
    weights, before = backbone.network.state_dict(), load(str(base), device="cpu").network.state_dict()
    assert any(not torch.equal(weights[key], before[key]) for key in weights), "the network has learned"
    assert [word["name"] for word in vocabulary_of(find("my-wires", home))] == ["gravel", "wire hum"]
    card = (out / "card.md").read_text(encoding="utf-8")
    assert all(part in card for part in ("4 sounds", "wire hum/1.wav", str(base)))


def test_it_goes_on_where_it_was_and_a_second_beginning_is_refused(archive, base, home):
    with pytest.raises(InvalidOption, match="--resume"):
        train_own(asked(archive, base), home, lambda event, **fields: None)
    work = home / "training" / "my-wires"
    before = torch.load(work / "unet.pt", weights_only=True)["step"]
    train_own(asked(None, base, resume=True), home, lambda event, **fields: None, LESSONS | {"steps": 1})
    assert torch.load(work / "unet.pt", weights_only=True)["step"] == before + 1
    assert not list((home / "models").glob("*.new"))


def test_an_interruption_keeps_what_was_learned_and_says_how_to_go_on(archive, base, tmp_path, monkeypatch):
    told: list[dict] = []

    def tell(event: str, **fields: object) -> None:
        told.append({"event": event, **fields})
        if str(fields.get("phase", "")).startswith("training"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_own(asked(archive, base), tmp_path, tell, LESSONS | {"steps": 20})
    work = tmp_path / "training" / "my-wires"
    assert torch.load(work / "unet.pt", weights_only=True)["step"] >= 1
    assert "athanor train --resume --name my-wires" in told[-1]["text"]
    assert json.loads((work / "training.json").read_text())["minutes"] >= 0
    assert "my-wires" not in sources(tmp_path)


@pytest.mark.parametrize(("change", "message"), [
    ({"name": "embedded"}, "taken"),
    ({"name": "My Wires"}, "no name for a model"),
    ({"folder": Path("/nowhere/at/all")}, "not a folder"),
    ({"name": "unheard", "resume": True}, "no training called 'unheard'"),
])
def test_what_cannot_be_trained_is_said_in_words(change, message, archive, base, tmp_path):
    given = {"folder": archive, "name": "fine", "base": str(base)} | change
    with pytest.raises(InvalidOption, match=message):
        train_own(Asked(**given), tmp_path, lambda event, **fields: None)
    assert not (tmp_path / "training" / "fine").exists()


def test_a_model_of_another_format_is_refused(base, tmp_path):
    with pytest.raises(InvalidOption, match="cannot be trained on"):
        check_base(tmp_path)
    for part in ("vocoder", "scheduler"):
        (tmp_path / part).mkdir()
    (tmp_path / "vocoder" / "config.json").write_text('{"sampling_rate": 16000, "model_in_dim": 64}')
    (tmp_path / "scheduler" / "scheduler_config.json").write_text('{"prediction_type": "epsilon"}')
    with pytest.raises(InvalidOption, match="16000 Hz"):
        check_base(tmp_path)
