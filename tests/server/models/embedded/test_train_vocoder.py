# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import SpeechT5HifiGan

from server.models.embedded import train_vocoder as stage
from server.models.embedded.corpus import Corpus
from server.models.embedded.format import HOP, N_MELS, SPEC
from server.models.embedded.loop import Settings
from server.models.embedded.pieces import PEAK, SOFTEST_DB, Pieces
from server.models.embedded.train_vocoder import StftDistance, rendered, train_vocoder
from server.models.embedded.vocoder_network import make_vocoder
from server.models.mel import log_mel
from server.models.vocoder_delay import measure_delay

FRAMES = 24


@pytest.fixture
def vocoder() -> SpeechT5HifiGan:
    torch.manual_seed(0)
    return make_vocoder(np.zeros(N_MELS), np.ones(N_MELS), channels=32).eval()


def sweep() -> torch.Tensor:
    time = torch.arange(FRAMES * HOP) / 32000
    return 0.3 * torch.sin(2 * torch.pi * (300 + 4000 * time) * time)[None]


def test_the_vocoder_gives_exactly_one_hop_per_frame_and_so_is_not_late(vocoder: SpeechT5HifiGan) -> None:
    with torch.no_grad():
        assert vocoder(torch.randn(2, 37, N_MELS)).shape == (2, 37 * HOP)
    assert measure_delay(vocoder, SPEC, torch.device("cpu")) == 0


def test_an_untrained_network_answers_to_its_mel_at_a_sound_level(vocoder: SpeechT5HifiGan) -> None:
    with torch.no_grad():
        one, other = vocoder(torch.randn(2, 40, N_MELS, generator=torch.Generator().manual_seed(1)))
    assert 1e-3 < one.std() < 0.5 and (one - other).std() > 0.1 * one.std()


def test_the_distance_is_nothing_for_the_same_sound_and_grows_with_noise() -> None:
    distance, real = StftDistance(), sweep()
    noise = torch.randn(real.shape, generator=torch.Generator().manual_seed(0))
    found = [float(distance(real + level * noise, real)) for level in (0.0, 0.01, 0.1)]
    assert found[0] == 0 and 0 < found[1] < found[2]


def test_what_is_rendered_has_the_levels_asked_for(vocoder: SpeechT5HifiGan) -> None:
    mel = log_mel(sweep(), SPEC)
    noise = torch.randn(1, FRAMES * HOP, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        made, alone = rendered(vocoder, mel, noise, (2, 6))
    loud = mel > mel.max() - 5
    error, before = ((log_mel(x, SPEC) - mel).abs()[loud].mean() for x in (made, alone))
    assert error < 0.4 * before


def test_pieces_are_of_the_level_of_use_and_a_function_of_the_generator(corpus: Corpus) -> None:
    pieces = Pieces(corpus, corpus.of_split("train"), 48 * HOP)
    one, same = (pieces.draw(np.random.default_rng(3), 8) for _ in range(2))
    assert one.shape == (8, 48 * HOP) and torch.equal(one, same)
    assert one.abs().max() <= PEAK
    assert one.abs().amax(1).max() > PEAK * 10 ** (-SOFTEST_DB / 20) / 2


def test_training_interrupted_is_training_uninterrupted(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "MEASURE_EVERY", 2)

    def run(work: Path, steps: int) -> dict:
        settings = Settings(steps=steps, device="cpu", seed=2, batch=2, learning_rate=1e-3)
        path = train_vocoder(corpus, work, settings, channels=32, measured_clips=2).path
        return torch.load(path, weights_only=True)["nets"]["vocoder"]

    whole = run(tmp_path / "whole", 3)
    run(tmp_path / "parts", 1)
    parts = run(tmp_path / "parts", 2)
    for name, weight in whole.items():
        torch.testing.assert_close(parts[name], weight, rtol=0, atol=1e-6)
    assert "held_out" in (tmp_path / "whole" / "vocoder.jsonl").read_text()
    again = SpeechT5HifiGan(SpeechT5HifiGan.config_class.from_pretrained(tmp_path / "whole" / "vocoder"))
    again.load_state_dict(whole)
