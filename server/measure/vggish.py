# SPDX-License-Identifier: GPL-3.0-or-later
"""VGGish: what DiffMusic and most of the literature take a Frechet audio distance in (Hershey et al. 2017; Kilgour 2019).

Every 0.96 s of a clip becomes 128 numbers, taken as the frechet-audio-distance package and DiffMusic do: before the last
activation, and without the PCA and the 8 bits that AudioSet's released features went through.

The weights are `vggish-10086976.pth` as github.com/harritaylor/torchvggish published them (release v0.1), AudioSet's own
carried over to torch; the number is the beginning of their SHA-256. They were not to be had here: the tests have random
weights of small sizes. Two things differ from the published code: clips of another rate are brought to 16 kHz by this
project's resampler instead of resampy, and a clip shorter than one patch is repeated, where theirs gives nothing at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, hub, nn

from server.audio import Clip, fold_mono, resample
from server.errors import ModelUnavailable
from server.measure.ten_seconds import repeated
from server.models.foreign_weights import filled, read_weights

NAME, FILE = "vggish", "vggish-10086976.pth"
ADDRESS = f"https://github.com/harritaylor/torchvggish/releases/download/v0.1/{FILE}"
RATE, FRAME, HOP, FFT = 16000, 400, 160, 512
BANDS, LOWEST_HZ, HIGHEST_HZ, OFFSET = 64, 125.0, 7500.0, 0.01
PATCH = 96
"""Frames of a patch, 0.96 s; the next begins where it ends, and what is left over at the end is dropped."""
_AT_ONCE = 32


@dataclass(frozen=True)
class Sizes:
    """Channels of the six convolutions, neurons of the two layers behind them, numbers that come out; as published."""

    channels: Sequence[int] = (64, 128, 256, 256, 512, 512)
    hidden: int = 4096
    outputs: int = 128


class Network(nn.Module):
    """Patches [n, 96, 64] of log-mels to vectors [n, outputs]; parts and layers are named as in the published file."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for place, (before, after) in enumerate(zip((1, *sizes.channels), sizes.channels, strict=False)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
            if place in (0, 1, 3, 5):
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        flat = sizes.channels[-1] * (PATCH // 16) * (BANDS // 16)
        self.embeddings = nn.Sequential(nn.Linear(flat, sizes.hidden), nn.ReLU(), nn.Linear(sizes.hidden, sizes.hidden),
                                        nn.ReLU(), nn.Linear(sizes.hidden, sizes.outputs))

    def forward(self, patches: Tensor) -> Tensor:
        # The weights were learned by TensorFlow, whose channels come last: a place's channels stand side by side.
        return self.embeddings(self.features(patches[:, None]).permute(0, 2, 3, 1).flatten(1))


class Vggish:
    """A loaded VGGish. source: `vggish`, fetched from where it was published; the published file; or a folder with it.

    Raises:
        ModelUnavailable: it cannot be had, is damaged, or is another network.
    """

    name = "VGGish"

    def __init__(self, source: str = NAME, device: str = "cpu", sizes: Sizes | None = None) -> None:
        self.network = filled(Network, {"sizes": sizes or Sizes()}, read_weights(_file(source)), NAME).to(device)
        self._device = torch.device(device)

    @torch.no_grad()
    def windows(self, clip: Clip) -> np.ndarray:
        """Vectors float32 [n, 128], not of unit length: one for each whole 0.96 s of a clip, and one for a shorter clip."""
        patches = torch.from_numpy(patches_of(resample(fold_mono(clip), RATE).samples[0])).to(self._device)
        return torch.cat([self.network(some) for some in patches.split(_AT_ONCE)]).cpu().numpy()


def patches_of(samples: np.ndarray) -> np.ndarray:
    """Log-mels float32 [n, 96, 64] of samples [time] at 16 kHz.

    Magnitudes of 512 bins of 400 samples in a periodic Hann window, every 160 and without padding; in 64 bands, triangles
    over mels from 125 to 7500 Hz; log(x + 0.01).
    """
    least = (PATCH - 1) * HOP + FRAME
    samples = repeated(samples, least) if len(samples) < least else samples
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), FRAME)[::HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
    log_mels = np.log(np.abs(np.fft.rfft(frames * window, FFT)) @ _bands() + OFFSET)
    n = len(log_mels) // PATCH
    return log_mels[:n * PATCH].reshape(n, PATCH, BANDS).astype(np.float32)


@cache
def _bands() -> np.ndarray:
    """[257, 64]: how much of each bin is in each band; both slopes are straight in mels, and 0 Hz is in none."""
    bins = _mel(np.linspace(0.0, RATE / 2, FFT // 2 + 1))[:, None]
    edges = np.linspace(_mel(LOWEST_HZ), _mel(HIGHEST_HZ), BANDS + 2)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    weights = np.maximum(0.0, np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)))
    weights[0] = 0.0
    return weights


def _mel(hz: np.ndarray | float) -> np.ndarray | float:
    return 1127.0 * np.log1p(np.asarray(hz) / 700.0)


def _file(source: str) -> Path:
    if source != NAME:
        path = Path(source).expanduser()
        path = path / FILE if path.is_dir() else path
        if not path.is_file():
            raise ModelUnavailable(f"There is no VGGish in {source!r}. Give `{NAME}`, the published {FILE}, or its folder.")
        return path
    path = Path(hub.get_dir()) / "checkpoints" / FILE
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            hub.download_url_to_file(ADDRESS, str(path), hash_prefix=FILE[7:15], progress=False)
        except (OSError, RuntimeError) as error:
            raise ModelUnavailable(f"VGGish cannot be had from {ADDRESS} ({type(error).__name__}). Fetch it elsewhere and "
                                   "give the file or its folder; without it, Frechet distances are in the embedding that "
                                   "ships.") from error
    return path
