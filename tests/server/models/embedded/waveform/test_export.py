# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderOobleck, StableAudioDiTModel
from safetensors.torch import load_file
from torch import nn

from server.models.base import Backbone
from server.models.components import building
from server.models.embedded.loop import Loop, Settings
from server.models.embedded.text_tower import SPECIAL, TEXT_DIMENSION
from server.models.embedded.waveform.export import export, halved
from server.models.embedded.waveform.projection import LAST_S, make_projection
from server.models.embedded.waveform.text_states import TextStates, make_encoder, short_tokenizer
from server.models.loading import load

PROMPT = "dark rain"
SIGMA_MIN = 0.03


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with random networks at toy size."""
    folder = tmp_path_factory.mktemp("work")
    torch.manual_seed(0)
    pieces = [*SPECIAL, "a", "dark", "rain"]
    text = TextStates(make_encoder(len(pieces)), nn.Linear(256, TEXT_DIMENSION), short_tokenizer(pieces))
    text.save(folder / "text")
    dit = StableAudioDiTModel(
        sample_size=32, in_channels=6, out_channels=6, num_layers=2, attention_head_dim=16, num_attention_heads=2,
        num_key_value_attention_heads=1, cross_attention_dim=32, cross_attention_input_dim=TEXT_DIMENSION,
        time_proj_dim=32, global_states_input_dim=2 * TEXT_DIMENSION,
    )
    dit.save_config(folder / "dit")
    with building():
        vae = AutoencoderOobleck(encoder_hidden_size=8, downsampling_ratios=[16, 32], channel_multiples=[1, 1],
                                 decoder_channels=4, decoder_input_channels=6, audio_channels=2, sampling_rate=32000)
    vae.save_pretrained(folder / "vae")
    nets = {"dit": dit, "projection": make_projection(text)}
    Loop(folder, "dit", Settings(), nets, {}, tuple(nets)).save()
    return folder


@pytest.fixture(scope="module")
def exported(work: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    export(work, folder, SIGMA_MIN)
    return folder


@pytest.fixture(scope="module")
def backbone(exported: Path) -> Backbone:
    return load(str(exported), device="cpu")


def test_the_folder_is_complete_and_says_nothing_of_where_it_was_made(exported: Path, work: Path) -> None:
    index = json.loads((exported / "model_index.json").read_text(encoding="utf-8"))
    parts = {part for part in index if not part.startswith("_")}
    assert parts == {path.name for path in exported.iterdir() if path.is_dir()}
    assert all(str(work) not in path.read_text(encoding="utf-8") for path in exported.rglob("*.json"))


def test_weights_are_of_half_precision_but_for_the_autoencoder_s(exported: Path, work: Path) -> None:
    for part, file in (("transformer", "diffusion_pytorch_model"), ("projection_model", "diffusion_pytorch_model"),
                       ("text_encoder", "model")):
        assert {t.dtype for t in load_file(exported / part / f"{file}.safetensors").values()} == {torch.float16}
    kept = load_file(exported / "vae" / "diffusion_pytorch_model.safetensors")
    for key, value in load_file(work / "vae" / "diffusion_pytorch_model.safetensors").items():
        assert torch.equal(kept[key].float(), value)
    assert {t.dtype for t in kept.values()} == {torch.float16, torch.float32}  # its zeros and ones are exact in half


def test_halving_loses_nothing() -> None:
    assert halved(torch.tensor([0.5, 24.0])).dtype == torch.float16
    assert halved(torch.tensor([0.5, 0.1])).dtype == torch.float32
    assert halved(torch.tensor([1e6])).dtype == torch.float32


def test_it_has_the_facts_of_its_parts(backbone: Backbone) -> None:
    facts = backbone.facts
    assert (facts.layout, facts.sample_rate, facts.channels, facts.latent_hz) == ("stable_audio", 32000, 2, 62.5)
    sigma, alpha = (backbone.levels(10).sigma[:-1], backbone.levels(10).alpha[:-1])
    torch.testing.assert_close((sigma / alpha)[[0, -1]], torch.tensor([500.0, SIGMA_MIN], dtype=sigma.dtype))


def test_its_text_states_are_those_that_training_saw(backbone: Backbone, work: Path) -> None:
    tokens = backbone.condition(PROMPT, 0.4).tensors["tokens"]
    seen, mask = TextStates.load(work / "text")([PROMPT])
    assert tokens.shape == (1, 34, TEXT_DIMENSION) and mask.sum() == 4
    torch.testing.assert_close(tokens[:, :32], seen, rtol=1e-4, atol=1e-5)


def test_the_trained_codes_of_the_seconds_are_there(backbone: Backbone, work: Path) -> None:
    codes = make_projection(TextStates.load(work / "text"))
    codes.load_state_dict(torch.load(work / "dit.pt", weights_only=True)["averages"]["projection"])
    assert codes.config.max_value == LAST_S > 10.24
    with torch.no_grad():
        start, end = codes(start_seconds=torch.zeros(1), end_seconds=torch.tensor([0.4])).to_tuple()
    timing = backbone.condition(PROMPT, 0.4).tensors["timing"]
    torch.testing.assert_close(timing, torch.cat([start, end], 2), rtol=0, atol=5e-3)


@pytest.mark.filterwarnings("ignore:Should have t[ab]:UserWarning")
def test_diffusers_own_pipeline_makes_the_same_sound(exported: Path, backbone: Backbone, by_diffusers_and_by_us) -> None:
    theirs, ours = by_diffusers_and_by_us(exported, backbone, PROMPT, 0.4)
    assert theirs.shape == (1, 2, 12800) and theirs.std() > 1e-4
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().max().item())
