# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures that ZeroSep prints (Huang et al. 2025, tables 1 to 4), beside which ours stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ABOUT = (
    "ZeroSep on MUSIC: eleven instruments, FAD and CLAP by 630k-audioset, LPAPS normalised over places instead of "
    "channels; its step count is not stated. Other sounds, other models and another embedding: only the order of rows "
    "compares. The headline row of its table 1 is AudioLDM2-large with DDIM."
)


@dataclass(frozen=True)
class Published:
    """One row: FAD and LPAPS (lower is better), CLAP-A and CLAP-T (higher)."""

    fad: float
    lpaps: float
    clap_a: float
    clap_t: float


MUSIC: Mapping[str, Published] = {
    "NMF-MFCC": Published(1.286, 5.618, 0.239, -0.055),
    "AudioEdit": Published(0.568, 4.869, 0.453, 0.196),
    "ddpm": Published(0.384, 4.596, 0.609, 0.259),
    "ddim": Published(0.439, 4.620, 0.584, 0.259),
    "guidance 1": Published(0.377, 4.669, 0.615, 0.271),
    "random prompt": Published(0.577, 4.900, 0.363, 0.125),
    "others": Published(0.454, 4.547, 0.581, 0.254),
}
"""Tables 1, 2 (AudioLDM2-music, the same network under both inversions) and 4 (AudioLDM2-large, ddim; the row guidance 1
is its null prompt)."""

NOT_RUN: Mapping[str, Published] = {
    "LASS-Net": Published(1.039, 5.602, 0.204, 0.014), "AudioSep": Published(0.725, 5.209, 0.450, 0.204),
    "FlowSep": Published(0.402, 5.578, 0.564, 0.245),
}
"""Table 1, methods that are not run here: they are trained to separate."""

ROUND_TRIP = {"mixture": (0.31, 0.31, 149.90), "mixture through VAE and vocoder": (-23.07, -0.79, -19.09)}
"""Table 3: SDR, SIR, SAR in dB against one source."""


MODELS = ("AudioLDM-S", "AudioLDM-L", "AudioLDM2-S", "AudioLDM2-S music", "AudioLDM2-L", "Tango")


def _rows(*rows: tuple[float, float, float, float]) -> tuple[Published, ...]:
    return tuple(Published(*row) for row in rows)


TABLE_2: Mapping[str, Mapping[str, tuple[Published, ...]]] = {
    "MUSIC": {
        "ddim": _rows((0.460, 4.690, 0.562, 0.284), (0.470, 4.625, 0.577, 0.260), (0.421, 4.630, 0.575, 0.261),
                      (0.439, 4.620, 0.584, 0.259), (0.377, 4.669, 0.615, 0.271), (0.606, 4.511, 0.544, 0.204)),
        "ddpm": _rows((0.417, 4.580, 0.605, 0.300), (0.388, 4.536, 0.626, 0.283), (0.390, 4.586, 0.595, 0.238),
                      (0.384, 4.596, 0.609, 0.259), (0.397, 4.581, 0.598, 0.239), (0.539, 4.474, 0.581, 0.189))},
    "AVE": {
        "ddim": _rows((0.275, 4.821, 0.484, 0.114), (0.253, 4.742, 0.490, 0.102), (0.251, 4.560, 0.477, 0.039),
                      (0.325, 4.666, 0.424, 0.106), (0.269, 4.537, 0.442, -0.001), (0.724, 4.451, 0.437, 0.077)),
        "ddpm": _rows((0.239, 4.681, 0.504, 0.133), (0.266, 4.629, 0.496, 0.108), (0.272, 4.546, 0.488, 0.041),
                      (0.238, 4.628, 0.467, 0.126), (0.267, 4.523, 0.445, -0.008), (0.723, 4.471, 0.451, 0.032))},
}
"""Table 2, in the order of MODELS."""


def told(row: str) -> str:
    """"FAD / LPAPS / C-A / C-T" of a row, or nothing where the paper has none."""
    found = MUSIC.get(row)
    return f"{found.fad:.3f} / {found.lpaps:.3f} / {found.clap_a:.3f} / {found.clap_t:.3f}" if found else ""
