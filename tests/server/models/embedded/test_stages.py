# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole recipe, from recordings to the folder that ships, at the smallest size."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from server.models.embedded import stages, train, train_text
from server.models.embedded.augment import Mixing
from server.models.embedded.corpus import Plan
from server.models.embedded.credits import read_credits
from server.models.embedded.waveform import train_dit, train_t5
from server.models.loading import load

from .conftest import CLASSES, TEXT, UNET_CHANNELS, VOCODER_CHANNELS

SIZE = stages.Size(
    UNET_CHANNELS, VOCODER_CHANNELS, (1, 64), {name: stages.Lesson(2, 1e-3, 1 / 4) for name in stages.TRAINED},
    Mixing(0.15, 0.02), 0.9, pool=4, uses=1, frames=32, measured=8, linear_steps=3)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Two recordings of rain, with their credits."""
    folder = tmp_path / "recordings" / "weather"
    folder.mkdir(parents=True)
    rng, lines = np.random.default_rng(0), ["file,label,title,author,licence,source"]
    for k in range(2):
        soundfile.write(folder / f"{k}.wav", 0.1 * rng.standard_normal(32000), 32000)
        lines.append(f"{k}.wav,rain,Rain {k},A. Author,CC0,https://example.org/{k}")
    (folder / "credits.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder.parent


@pytest.mark.timeout(300)
def test_one_call_goes_from_recordings_to_a_model_and_does_nothing_twice(
    recordings: Path, bert_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_text, "TextPlan", lambda: TEXT)
    monkeypatch.setattr(train_t5, "T5Plan", partial(train_t5.T5Plan, 20, 20, 20, 20, held=4, epochs=1))
    monkeypatch.setattr(train_dit, "DitPlan", partial(train_dit.DitPlan, ear_steps=1))
    sources = stages.Sources((recordings,), plan=Plan((2, 1, 2), (2, 1, 2), classes=CLASSES))
    said: list[str] = []

    def run() -> None:
        stages.whole(sources, bert_folder, tmp_path, tmp_path / "weights", SIZE,
                     stages.Budget(steps=1, device="cpu"), seed=3, workers=1, say=said.append)

    run()
    stages_run = [text.split()[0] for text in said if text.endswith("...")]
    assert stages_run == ["pack", "corpus", "text", "t5", "codec", "vae", "vocoder", "unet", "dit", "bank"]
    assert load(str(tmp_path / "mosaic"), device="cpu").facts.layout == "patches"
    assert load(str(tmp_path / "weights"), device="cpu").facts.sample_rate == 32000
    waveform = load(str(tmp_path / "waveform"), device="cpu").facts
    assert (waveform.layout, waveform.sample_rate, waveform.channels) == ("stable_audio", 32000, 2)
    assert {line["title"] for line in read_credits(tmp_path / "credits.csv")} == {"Rain 0", "Rain 1"}
    said.clear()
    run()
    assert len(said) == 2 and all(text.endswith("MB") for text in said)


def test_a_stage_says_which_folder_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="vocoder needs --corpus, --work"):
        train.main(["vocoder"])


def test_shares_of_a_whole_run_add_up() -> None:
    for size in stages.SIZES.values():
        assert sum(lesson.share for lesson in size.lessons.values()) == pytest.approx(1)
