# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import transformers

from server.audio import Clip
from server.errors import ModelUnavailable
from server.measure import separation
from server.measure.clap import CHECKPOINTS, Clap
from server.measure.datasets.mixture import mixed
from server.measure.embedding import audio_agreement, embed
from server.measure.lpaps import lpaps
from server.models import tiny

RATE = 48000


@pytest.fixture(scope="module")
def clap(tmp_path_factory: pytest.TempPathFactory) -> Clap:
    """The real classes at toy size: one second at a time, 16 mel bands."""
    folder = tmp_path_factory.mktemp("clap")
    model = tiny.build("musicldm", folder / "musicldm")
    for part in ("text_encoder", "tokenizer"):
        shutil.copytree(model / part, folder / "clap", dirs_exist_ok=True)
    transformers.ClapFeatureExtractor(feature_size=16, max_length_s=1, truncation="rand_trunc").save_pretrained(
        folder / "clap")
    return Clap(str(folder / "clap"))


def noise(seed: int, seconds: float = 1.0) -> Clip:
    return Clip(0.1 * np.random.default_rng(seed).normal(size=(1, round(seconds * RATE))), RATE)


def test_windows_are_unit_vectors_and_the_same_every_time(clap: Clap) -> None:
    vectors = embed(clap, [noise(0, 1.9), noise(1)])
    assert vectors.shape[0] == 3 and np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert np.array_equal(clap.windows(noise(0, 1.9)), vectors[:2])
    assert audio_agreement(clap, noise(0), noise(0)) == pytest.approx(1, abs=1e-5)


def test_a_prompt_agrees_by_its_cosine(clap: Clap) -> None:
    text, clip = clap.text(["a bell", "rain"]), noise(2, 1.9)
    assert np.linalg.norm(text, axis=1) == pytest.approx([1, 1], abs=1e-5) and not np.allclose(text[0], text[1])
    assert clap.text_agreement(clip, "rain") == pytest.approx(float((clap.windows(clip) @ text[1]).mean()), abs=1e-5)


def test_stages_come_window_by_window(clap: Clap) -> None:
    clip = noise(3, 1.9)
    found = clap.stages(clip)
    assert [len(window) for window in found] == [2, 2]
    assert np.allclose(found[1][1], clap.stages(Clip(clip.samples[:, round(0.9 * RATE):], RATE))[0][1], atol=1e-4)
    assert lpaps(clap, clip, clip) == pytest.approx(0, abs=1e-9) and lpaps(clap, clip, noise(4, 1.9), "published") > 0


def test_a_table_of_separation_in_clap_has_its_figures_too(clap: Clap) -> None:
    both = mixed({"rain": noise(5).samples, "a bell": noise(6).samples}, RATE, "x")
    sources = list(both.stems.values())
    found = separation._compared(clap, [both], [sources], [sources])
    assert found["agreement"] == pytest.approx(1, abs=1e-4) and found["stages"] == pytest.approx(0, abs=1e-6)
    texts = [clap.text_agreement(clip, prompt) for clip, prompt in zip(sources, ("rain", "a bell"), strict=True)]
    assert found["text"] == pytest.approx(np.mean(texts), abs=1e-4)
    assert found["stages_published"] == pytest.approx(0, abs=1e-6)


def test_the_papers_checkpoints_have_names_and_a_missing_one_says_what_helps(tmp_path: Path) -> None:
    assert set(CHECKPOINTS) == {"zerosep", "editing"}
    with pytest.raises(ModelUnavailable, match="embedded embedding stands in"):
        Clap(str(tmp_path / "not" / "there" / "at all"))
