# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from server.audio import Clip
from server.errors import ModelUnavailable
from server.measure import separation_variants
from server.measure.clap import CHECKPOINTS, REVISIONS, Clap
from server.measure.datasets.mixture import mixed
from server.measure.embedding import audio_agreement, embed
from server.measure.lpaps import lpaps
from server.models import tiny

RATE = 48000


@pytest.fixture(scope="module")
def clap_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real classes at toy size: one second at a time, 16 mel bands."""
    folder = tmp_path_factory.mktemp("clap")
    model = tiny.build("musicldm", folder / "musicldm")
    for part in ("text_encoder", "tokenizer"):
        shutil.copytree(model / part, folder / "clap", dirs_exist_ok=True)
    transformers.ClapFeatureExtractor(feature_size=16, max_length_s=1, truncation="rand_trunc").save_pretrained(
        folder / "clap")
    return folder / "clap"


@pytest.fixture(scope="module")
def clap(clap_folder: Path) -> Clap:
    return Clap(str(clap_folder))


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
    found = separation_variants._figures(clap, [both], [sources], [sources])
    assert found["agreement"] == pytest.approx(1, abs=1e-4) and found["stages"] == pytest.approx(0, abs=1e-6)
    texts = [clap.text_agreement(clip, prompt) for clip, prompt in zip(sources, ("rain", "a bell"), strict=True)]
    assert found["text"] == pytest.approx(np.mean(texts), abs=1e-4)
    assert found["stages_published"] == pytest.approx(0, abs=1e-6)


def test_pickled_weights_are_read_as_weights_alone(clap: Clap, clap_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(clap_folder, tmp_path / "pickled")
    (folder / "model.safetensors").unlink()
    torch.save(clap.model.state_dict(), folder / "pytorch_model.bin")
    assert np.array_equal(Clap(str(folder)).windows(noise(0)), clap.windows(noise(0)))
    torch.save({"weights": Path}, folder / "pytorch_model.bin")  # something that only running a pickle would give
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        Clap(str(folder))


@pytest.mark.parametrize("kept", ["model.safetensors", "pytorch_model.bin"])
def test_from_the_hub_it_comes_at_its_commit_with_the_weights_that_it_has(
    clap: Clap, clap_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    folder, asked = shutil.copytree(clap_folder, tmp_path / "hub"), []
    (folder / "model.safetensors").unlink()

    def snapshot_download(source: str, *, revision: str, allow_patterns: list[str]) -> str:
        asked.append((source, revision, allow_patterns[-1]))
        if kept == "model.safetensors":
            shutil.copy(clap_folder / kept, folder)
        elif allow_patterns[-1] == kept:
            torch.save(clap.model.state_dict(), folder / kept)
        return str(folder)

    monkeypatch.setattr("server.measure.clap.hub.snapshot_download", snapshot_download)
    made = Clap("editing")
    assert made.name == "laion/larger_clap_music" and np.array_equal(made.windows(noise(1)), clap.windows(noise(1)))
    weights = ["*.safetensors", "pytorch_model.bin"][: 1 if kept == "model.safetensors" else 2]
    assert asked == [(made.name, REVISIONS[made.name], pattern) for pattern in weights]


def test_the_papers_checkpoints_have_names_and_a_missing_one_says_what_helps(tmp_path: Path) -> None:
    assert set(CHECKPOINTS) == {"zerosep", "editing"} and set(REVISIONS) == set(CHECKPOINTS.values())
    with pytest.raises(ModelUnavailable, match="embedded embedding stands in"):
        Clap(str(tmp_path / "not" / "there" / "at all"))


def test_a_text_tower_that_finds_all_words_alike_is_not_asked(clap: Clap, clap_folder: Path, tmp_path: Path) -> None:
    """As the hub's larger_clap_music is reported to be; sounds it compares all the same."""
    folder = shutil.copytree(clap_folder, tmp_path / "deaf")
    model = transformers.ClapModel.from_pretrained(folder)
    with torch.no_grad():
        model.text_projection.linear2.weight.mul_(1e-4)
        model.text_projection.linear2.bias.fill_(1.0)
    model.save_pretrained(folder)
    deaf = Clap(str(folder))
    assert clap.hears_words and not deaf.hears_words
    mixture = mixed({"rain": noise(4).samples, "a bell": noise(5).samples}, RATE, "both")
    stems = [list(mixture.stems.values())]
    found = separation_variants._figures(deaf, [mixture], stems, stems)
    assert "text" not in found and found["agreement"] == pytest.approx(1, abs=1e-5)
