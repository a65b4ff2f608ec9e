# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from server.models.embedded.augment import Mixing
from server.models.embedded.corpus import Corpus
from server.models.embedded.latents import PoolPlan
from server.models.embedded.loop import Settings
from server.models.embedded.waveform.shape import CHANNELS, N_BANDS
from server.models.embedded.waveform.text_states import TextStates, make_encoder, short_tokenizer
from server.models.embedded.waveform.train_dit import (
    DROP,
    LEVEL_WEIGHT,
    DitPlan,
    Told,
    error,
    generated,
    noised,
    pieces,
    step_error,
    train_dit,
)

PLAN = DitPlan(PoolPlan(4, 2, 2), layers=1, width=64, frames=24, whole_every=3, listen_every=2, ear_steps=2)


class Still(nn.Module):
    """Answers 0 and keeps what it was asked."""

    def forward(self, x: Tensor, time: Tensor, told: Told) -> Tensor:
        self.x, self.time, self.told = x, time, told
        return torch.zeros_like(x)


def test_velocity_turns_back_into_latents() -> None:
    x0, noise, time = torch.randn(3, CHANNELS, 5), torch.randn(3, CHANNELS, 5), torch.tensor([0.1, 0.5, 0.9])
    x, v = noised(x0, noise, time)
    alpha, sigma = (math.pi / 2 * time).cos()[:, None, None], (math.pi / 2 * time).sin()[:, None, None]
    torch.testing.assert_close(alpha * x - sigma * v, x0, atol=1e-5, rtol=0)
    torch.testing.assert_close(sigma * x + alpha * v, noise, atol=1e-5, rtol=0)


def test_levels_weigh_more_than_lines() -> None:
    told, time = Told(torch.zeros(1, 2, 128), torch.zeros(1, dtype=torch.bool)), torch.zeros(1)
    found = []
    for channel in (0, CHANNELS - 1):
        noise = torch.zeros(1, CHANNELS, 4)
        noise[:, channel] = 1
        found.append(float(error(Still(), torch.zeros_like(noise), told, time, noise)))
    assert found[1] == pytest.approx(LEVEL_WEIGHT * found[0])
    assert found[0] == pytest.approx(1 / (CHANNELS + (LEVEL_WEIGHT - 1) * N_BANDS))


def test_times_lean_to_the_noisy_and_a_tenth_is_told_nothing() -> None:
    network = Still()
    step_error(network, torch.randn(2000, CHANNELS, 1), torch.ones(2000, 2, 128), torch.Generator().manual_seed(1))
    assert network.told.dropped.float().mean().item() == pytest.approx(DROP, abs=0.02)
    assert 0.53 < network.time.mean() < 0.58 and network.time.max() < 1


def test_a_piece_is_the_loudest_of_three_and_a_whole_clip_is_itself() -> None:
    latents = torch.arange(30.0).expand(50, CHANNELS, 30).clone()  # ever louder
    found = pieces(latents, 4, torch.Generator().manual_seed(0))
    assert found.shape == (50, CHANNELS, 4) and torch.equal(found[:, 0, 1:] - found[:, 0, :-1], torch.ones(50, 3))
    assert 17 < found[:, 0, 0].mean() < 22  # one start would be at 13 on average
    assert torch.equal(pieces(latents, 30, torch.Generator()), latents)


def test_generation_under_a_perfect_velocity_of_silence_is_silence() -> None:
    class Silence(nn.Module):
        def forward(self, x: Tensor, time: Tensor, told: Told) -> Tensor:
            return x / (math.pi / 2 * time).sin()[:, None, None] * (math.pi / 2 * time).cos()[:, None, None]

    made = generated(Silence(), torch.zeros(2, 3, 128), 6, seed=1)
    assert made.shape == (2, CHANNELS, 6) and made.abs().max() < 1e-4


@pytest.fixture
def work(codec_work: Path, tmp_path: Path) -> Path:
    """A work folder with codec and an untaught text encoder."""
    shutil.copy(codec_work / "codec.pt", tmp_path)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghijklmnopqrstuvwxyz"]
    pieces += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    torch.manual_seed(0)
    encoder = make_encoder(len(pieces))
    TextStates(encoder, nn.Linear(encoder.config.d_model, 128), short_tokenizer(pieces)).save(tmp_path / "text")
    return tmp_path


def run(corpus: Corpus, work: Path, steps: int) -> dict[str, Tensor]:
    settings = Settings(steps=steps, device="cpu", seed=3, batch=2, log_every=1)
    return dict(train_dit(corpus, work, settings, PLAN, Mixing()).nets["dit"].state_dict())


def test_it_learns_listens_and_goes_on_as_if_it_had_not_stopped(corpus: Corpus, work: Path, tmp_path: Path) -> None:
    other = shutil.copytree(work, tmp_path / "other", ignore=shutil.ignore_patterns("other"))
    whole = run(corpus, work, 4)
    run(corpus, other, 2)
    parts = run(corpus, other, 2)
    for key, value in whole.items():
        torch.testing.assert_close(parts[key], value, atol=1e-6, rtol=1e-4)
    lines = [json.loads(line) for line in (work / "dit.jsonl").read_text().splitlines()]
    heard = [line for line in lines if "agreement" in line]
    assert len(heard) == 2 and 0 <= heard[0]["agreement"] <= 1 and heard[0]["held_out_0.5"] > 0
    assert (work / "dit" / "config.json").is_file()
