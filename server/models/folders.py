# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model folder holds, by its layout, and whether one is whole. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from server.errors import ModelUnavailable

_MEL = ("unet", "vae", "vocoder", "scheduler", "text_encoder", "tokenizer")
PARTS: Mapping[str, tuple[str, ...]] = {
    "audioldm": _MEL,
    "musicldm": _MEL,
    "tango": _MEL,
    "audioldm2": (*_MEL, "text_encoder_2", "tokenizer_2", "projection_model", "language_model"),
    "stable_audio": ("transformer", "vae", "scheduler", "text_encoder", "tokenizer", "projection_model"),
    "stable_audio_small": ("transformer", "vae", "text_encoder", "tokenizer", "projection_model"),
    "patches": ("bank",),
}
"""The subfolders that a model of a layout is loaded from."""
UNWANTED_FILES = ("*.fp16.*", "*.non_ema.*")
_WITHOUT_WEIGHTS = ("scheduler", "tokenizer", "tokenizer_2")
_LONGEST_HEADER = 100_000_000


def wanted_files(layout: str) -> list[str]:
    """Patterns of the files of a hub repository that a model of that layout is loaded from."""
    kinds = ("*.json", "*.safetensors", "*.txt", "*.model")
    return ["model_index.json", "README.md", *(f"{part}/{kind}" for part in PARTS[layout] for kind in kinds)]


def missing_parts(folder: Path, layout: str) -> list[str]:
    """The parts that `folder` lacks, or has without weights or with some of several files of weights."""
    return [part for part in PARTS[layout] if not (
        any((folder / part).glob("*.json")) if part in _WITHOUT_WEIGHTS else _has_weights(folder / part))]


def check_model(folder: Path, layout: str) -> None:
    """Raise ModelUnavailable unless all parts of a model of that layout are in `folder` and their weights are whole."""
    missing = missing_parts(folder, layout)
    if missing:
        pickled = any(path.suffix in (".bin", ".pt", ".ckpt") for part in missing for path in (folder / part).glob("*"))
        why = ("Weights in .bin or .ckpt are pickles and are not loaded: get the same model as .safetensors." if pickled
               else "Copy the whole folder, or fetch it again.")
        raise ModelUnavailable(f"{folder} is a model of layout {layout} without {', '.join(missing)}. {why}")
    for path in sorted(folder.rglob("*.safetensors")):
        if path.stat().st_size != _whole_size(path):
            raise ModelUnavailable(f"{path} is cut off or damaged. Copy it again.")


def _has_weights(part: Path) -> bool:
    """Whether there are weights, and where an index lists several files, all of these."""
    here, listed = {path.name for path in part.glob("*.safetensors")}, set()
    for index in part.glob("*.safetensors.index.json"):
        if index.name.removesuffix(".index.json") not in here:  # one file with everything is taken before several
            try:
                listed |= set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            except (ValueError, KeyError, TypeError, AttributeError):
                return False
    return bool(here) and listed <= here


def _whole_size(path: Path) -> int:
    """The size that a safetensors file says it has: eight bytes, its header, and what the header points at."""
    try:
        with path.open("rb") as stream:
            n_header = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(min(n_header, _LONGEST_HEADER)))
        ends = (one["data_offsets"][1] for key, one in header.items() if key != "__metadata__")
        return 8 + n_header + max(ends, default=0)
    except (ValueError, KeyError, TypeError, AttributeError):
        return -1
