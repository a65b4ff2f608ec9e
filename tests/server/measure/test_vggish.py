# SPDX-License-Identifier: GPL-3.0-or-later
"""VGGish with random weights of a small size, from a file as it is published; its front end against transformers'."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from server.audio import Clip
from server.errors import ModelUnavailable
from server.measure import vggish
from server.measure.embedding import frechet_audio_distance
from server.measure.vggish import FILE, RATE, Network, Sizes, Vggish, patches_of

SMALL = Sizes(channels=(2, 3, 4, 4, 5, 5), hidden=7, outputs=6)
PUBLISHED = {
    "features.0.weight": (64, 1, 3, 3), "features.3.weight": (128, 64, 3, 3), "features.6.weight": (256, 128, 3, 3),
    "features.8.weight": (256, 256, 3, 3), "features.11.weight": (512, 256, 3, 3), "features.13.weight": (512, 512, 3, 3),
    "embeddings.0.weight": (4096, 12288), "embeddings.2.weight": (4096, 4096), "embeddings.4.weight": (128, 4096),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    torch.save(Network(SMALL).state_dict(), tmp_path / FILE, _use_new_zipfile_serialization=False)  # as it was in 2019
    return tmp_path


def noise(seed: int, seconds: float) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


def test_layers_are_named_and_shaped_as_in_the_published_file() -> None:
    with torch.device("meta"):
        state = Network(Sizes()).state_dict()
    assert {name: tuple(value.shape) for name, value in state.items() if name.endswith("weight")} == PUBLISHED


def test_log_mels_equal_those_of_an_independent_front_end() -> None:
    samples = noise(1, 2.5)
    bands = mel_filter_bank(257, 64, 125.0, 7500.0, RATE, mel_scale="kaldi", triangularize_in_mel_space=True)
    mels = spectrogram(samples, window_function(400, "hann", periodic=True), 400, 160, 512, power=1.0, center=False,
                       mel_filters=bands, mel_floor=0.0)
    expected = np.log(mels.T + 0.01)
    found = patches_of(samples)
    assert found.shape == (2, 96, 64), "what is left of the third patch is dropped"
    np.testing.assert_allclose(found.reshape(-1, 64), expected[:192], atol=1e-5)


def test_vectors_are_of_the_layer_before_its_activation(folder: Path) -> None:
    made = Vggish(str(folder), sizes=SMALL)
    clip = Clip(noise(2, 2.0)[None], RATE)
    state = torch.load(folder / FILE, weights_only=True)
    x = torch.from_numpy(patches_of(clip.samples[0]))[:, None]
    for place in (0, 3, 6, 8, 11, 13):
        x = F.relu(F.conv2d(x, state[f"features.{place}.weight"], state[f"features.{place}.bias"], padding=1))
        x = x if place in (6, 11) else F.max_pool2d(x, 2)
    assert x.shape == (2, 5, 6, 4)
    x = torch.einsum("nctf->ntfc", x).reshape(2, -1)  # time, band, channel
    for place in (0, 2, 4):
        x = F.linear(F.relu(x) if place else x, state[f"embeddings.{place}.weight"], state[f"embeddings.{place}.bias"])
    found = made.windows(clip)
    assert found.dtype == np.float32 and (found < 0).any()
    np.testing.assert_allclose(found, x.numpy(), atol=1e-6)
    assert made.windows(Clip(noise(2, 0.1)[None], RATE)).shape == (1, 6), "a short clip is repeated"


def test_a_distance_is_taken_in_it(folder: Path) -> None:
    made = Vggish(str(folder / FILE), sizes=SMALL)
    one, other = (Clip(np.stack([noise(seed, 4.0), noise(seed + 9, 4.0)]), RATE) for seed in (3, 4))
    assert frechet_audio_distance(made, [one], [one]) == pytest.approx(0, abs=1e-9)
    loud = Clip(5 * other.samples, RATE)
    assert frechet_audio_distance(made, [loud], [one]) > frechet_audio_distance(made, [other], [one])


def test_another_network_and_a_missing_file_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelUnavailable, match="The vggish in these files is not the one that was expected"):
        Vggish(str(folder))
    with pytest.raises(ModelUnavailable, match="Give `vggish`, the published"):
        Vggish(str(folder / "nowhere"))
    monkeypatch.setattr(vggish.hub, "get_dir", lambda: str(folder / "hub"))
    monkeypatch.setattr(vggish, "ADDRESS", (folder / FILE).as_uri())
    with pytest.raises(ModelUnavailable, match="RuntimeError"):  # its bytes are not those that were published
        Vggish(sizes=SMALL)
    (folder / "hub" / "checkpoints" / FILE).write_bytes((folder / FILE).read_bytes())
    assert Vggish(sizes=SMALL).windows(Clip(noise(5, 1.0)[None], RATE)).shape == (1, 6)
