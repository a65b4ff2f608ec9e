# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from server.audio import Clip, write_clip
from server.measure import rebuild, waveform_rebuild
from server.measure.bench import Bench, NotMeasured
from server.measure.held_out import HeldOut, Sound
from server.measure.studio import Studio
from server.models import tiny
from server.models.base import Backbone, BackboneFacts
from server.models.loading import load

RATE = 32000


class Copier(Backbone):
    """Stereo at 32 kHz, latents are samples; `change` is what the round trip does to the wave."""

    def __init__(self, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.facts = BackboneFacts("copier", "stable_audio", "r1", RATE, 2, RATE, 10.24)
        self.device, self.dtype, self.change = torch.device("cpu"), torch.float32, change

    def encode(self, audio: torch.Tensor) -> torch.Tensor:
        return audio

    def decode(self, latents: torch.Tensor, n_samples: int) -> torch.Tensor:
        return self.change(latents)[..., :n_samples]

    levels = latent_shape = condition = denoise = None


def measured(bench: Bench, change: Callable[[torch.Tensor], torch.Tensor], **sets) -> dict:
    with Studio(Copier(change)) as studio:
        return rebuild.measure(replace(bench, studio=studio, **sets), per_class=2)


def muffled(audio: torch.Tensor) -> torch.Tensor:
    spectrum = torch.fft.rfft(audio)
    spectrum[..., torch.fft.rfftfreq(audio.shape[-1], 1 / RATE) >= 10000] *= 0.5
    return torch.fft.irfft(spectrum, audio.shape[-1])


@pytest.fixture
def recordings(tmp_path: Path) -> HeldOut:
    """White noise recorded in stereo at 32 kHz with its right side silent, a low tone at 44.1 kHz, noise at 16 kHz."""
    rng, sounds = np.random.default_rng(0), []
    noise = rng.normal(size=(2, 6 * RATE)) * [[0.1], [0.0]]
    for name, clip in {"rain": Clip(noise, RATE),
                       "flute": Clip(0.4 * np.sin(np.arange(44100) * 0.05)[None] + 0.1, 44100),
                       "wind": Clip(0.1 * rng.normal(size=(1, 16000)), 16000)}.items():
        path = tmp_path / f"{name}.wav"
        write_clip(path, clip)
        sounds.append(Sound(path, name, "source", "CC0-1.0", "", name, clip.sample_rate))
    return HeldOut(tuple(sounds))


def test_a_wave_that_comes_back_as_it_went_is_far_above_the_aim(bench: Bench, recordings: HeldOut) -> None:
    found = measured(bench, lambda audio: 0.7 * audio, held_out=recordings)["held_out"]
    assert (found["clips"], found["stereo"], found["above_aim"]) == (3, 1, 3)
    assert found["si_sdr_db"] > 60, "the gain does not count"
    assert found["by_class"]["rain"]["nat"] == pytest.approx(-np.log(0.7), abs=0.2)


def test_noise_at_a_tenth_is_20_db_and_highs_count_only_where_there_are_some(bench: Bench, recordings: HeldOut) -> None:
    def noisy(audio: torch.Tensor) -> torch.Tensor:
        added = torch.randn(audio.shape, generator=torch.Generator().manual_seed(1))
        return audio + 0.1 * added * audio.square().mean().sqrt() / added.square().mean().sqrt()

    figures = measured(bench, noisy, held_out=recordings)
    assert json.loads(json.dumps(figures)) == figures
    found = figures["held_out"]
    assert [row["si_sdr_db"] for row in found["rows"]] == pytest.approx([20, 20, 20], abs=0.1)
    assert [row["class"] for row in found["rows"] if "highs_db" in row] == ["rain"]
    assert found["by_class"]["rain"]["highs_db"] == pytest.approx(10 * np.log10(1.01), abs=0.05)


def test_the_rows_of_the_table_have_the_aims_and_their_figures(bench: Bench, recordings: HeldOut) -> None:
    figures = measured(bench, muffled, held_out=recordings)
    assert figures["held_out"]["highs_db"] == pytest.approx(-6.0, abs=0.1)
    wave, highs = rebuild.findings(figures)
    assert (wave.aim, wave.met, highs.met) == ("10 dB", True, False)
    assert highs.figure == "median -6.0 dB; 0 of 1 clips within"
    lines = rebuild.lines(figures)
    assert lines[0] == "Medians over held-out recordings: 3 clips of 5.12 s, 1 in stereo."
    assert len({line.count("|") for line in lines[2:]}) == 1 and lines[-1].startswith("| **all** | 3 |")


def test_the_corpus_s_test_split_stands_apart(full_bench: Bench, recordings: HeldOut) -> None:
    figures = measured(full_bench, lambda audio: -audio, held_out=recordings)
    assert figures["corpus"]["clips"] == 8 and figures["corpus"]["stereo"] == 0
    assert sum("Medians over" in line for line in rebuild.lines(figures)) == 2
    alone = measured(full_bench, lambda audio: audio, held_out=None)
    assert "held_out" not in alone and "the corpus's test split" in waveform_rebuild.findings(alone)[0].what


def test_the_real_classes_are_measured_at_their_own_rate(bench: Bench, recordings: HeldOut, tmp_path: Path) -> None:
    with Studio(load(str(tiny.build("stable_audio", tmp_path / "tiny")), device="cpu")) as studio:
        few = replace(bench, studio=studio, held_out=HeldOut(recordings.sounds[:1]))
        figures = rebuild.measure(few, per_class=1)
    assert figures["held_out"]["si_sdr_db"] < 0, "random weights rebuild nothing"
    assert [row.met for row in rebuild.findings(figures)] == [False, False]


def test_without_sounds_there_is_nothing_to_rebuild(bench: Bench) -> None:
    with pytest.raises(NotMeasured, match="server.measure.fetch"):
        measured(bench, lambda audio: audio, held_out=None)
