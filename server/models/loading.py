# SPDX-License-Identifier: GPL-3.0-or-later
"""From a model's name to a Backbone: find it, have it on this machine, choose device and precision, build its adapter.

A hub model that is complete in the local cache is used from there, so that a render does not change because a repository
did; otherwise the configured revision is downloaded, its safetensors and configs alone.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from server.errors import InvalidOption, ModelUnavailable
from server.models import audioldm, audioldm2, musicldm, patches, stable_audio, stable_audio_small, tango
from server.models.base import Backbone
from server.models.catalogue import CATALOGUE, DEFAULT_REVISION, SHIPPED, Card, Source, find, folder_revision, layout_of
from server.models.folders import UNWANTED_FILES, missing_parts, wanted_files
from server.models.licences import licence_of

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
WINDOWS = ("full", "cropped")
_ADAPTERS = {
    "stable_audio": stable_audio.StableAudio,
    "audioldm2": audioldm2.AudioLDM2,
    "audioldm": audioldm.AudioLDM,
    "musicldm": musicldm.MusicLDM,
    "tango": tango.Tango,
    "stable_audio_small": stable_audio_small.StableAudioSmall,
    "patches": patches.Patches,
}


@dataclass(frozen=True)
class Located:
    """A model that is on this machine: its folder, layout, revision, and the size of its weights on disk in bytes."""

    source: Source
    folder: Path
    layout: str
    revision: str
    n_bytes: int


def load(
    name: str,
    *,
    device: str | None = None,
    dtype: str | None = None,
    window: str | None = None,
    home: Path | None = None,
) -> Backbone:
    """The backbone called `name`: a known or configured name, a folder in the hub layout, or a hub id "owner/name".

    Args:
        device: auto (cuda, then mps, then cpu), cpu, cuda, cuda:N or mps; a device asked for by name is never replaced.
        dtype: float32, float16 or bfloat16, of the denoiser alone.
        window: Stable Audio layout only, full or cropped (`stable_audio.StableAudio`).
        home: the data folder, for its models.toml.
        Each is as configured for that name where None, else auto, float32 and full.

    Raises:
        InvalidOption: no such name, device, dtype or window, or one that this machine does not have.
        ModelUnavailable: the files are not here and cannot be had, or are damaged; the message says what to do.
    """
    source = find(name, home)
    chosen = choose_device(device or source.device or "auto")
    precision = choose_dtype(dtype or source.dtype or "float32", chosen)
    return build(locate(source), device=chosen, dtype=precision, window=window or source.window)


def build(located: Located, *, device: torch.device, dtype: torch.dtype, window: str | None = None) -> Backbone:
    """The adapter of a located model. Raises InvalidOption for a window that it does not have, ModelUnavailable."""
    adapter = _ADAPTERS[located.layout]
    options = {}
    if window is not None:
        if not located.layout.startswith("stable_audio") or window not in WINDOWS:
            raise InvalidOption(
                f"window is {window!r} for a model of layout {located.layout}; it is {' or '.join(WINDOWS)}, and for "
                "models of layout stable_audio alone."
            )
        options["window"] = window
    backbone = adapter(
        located.folder, name=located.source.name, revision=located.revision, device=device, dtype=dtype, **options
    )
    backbone.facts = replace(backbone.facts, licence=licence_of(located.source, located.folder))
    return backbone


def locate(source: Source) -> Located:
    """The model on this machine, downloaded if it is a hub model that is not here yet. Raises ModelUnavailable."""
    if source.is_hub:
        folder = _hub_folder(source)
        revision = folder.name  # snapshots are named by their commit
    else:
        folder = Path(source.source)
        _check_folder(source, folder)
        revision = folder_revision(folder)
    n_bytes = sum(path.stat().st_size for path in folder.glob("*/*.safetensors"))
    return Located(source, folder, layout_of(folder), revision, n_bytes)


def choose_device(device: str) -> torch.device:
    """A torch device of "auto" (cuda, then mps, then cpu) or of a name; "cuda" is the first card, cuda:0.

    Raises:
        InvalidOption: it is not here.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        device = next(kind for kind, here in available.items() if here)
    here = [kind for kind, present in available.items() if present]
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise InvalidOption(f"There is no device {device!r}. Allowed here: auto, {', '.join(here)}.") from error
    if chosen.type not in here or (chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count()):
        raise InvalidOption(
            f"This machine has no {device}, as its torch sees it. Allowed here: auto, {', '.join(here)}; "
            "`athanor doctor` says why a card is not seen."
        )
    return torch.device("cuda", chosen.index or 0) if chosen.type == "cuda" else chosen  # one card, one name


def choose_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """A torch dtype of its name. Raises InvalidOption for an unknown one, and for float16 on a CPU (100 times slower)."""
    if dtype not in DTYPES:
        raise InvalidOption(f"dtype is {dtype!r}; allowed: {', '.join(DTYPES)}.")
    if device.type == "cpu" and dtype == "float16":
        raise InvalidOption("float16 is not computed on a CPU (it would be 100 times slower): ask for float32 or bfloat16.")
    return DTYPES[dtype]


def _check_folder(source: Source, folder: Path) -> None:
    if (folder / "model_index.json").is_file():
        return
    if folder in SHIPPED:
        raise ModelUnavailable(
            f"The weights of {source.name!r} are missing from this installation ({folder}). Install athanor-audio again."
        )
    raise ModelUnavailable(
        f"The model {source.name!r} should be in {folder}, which has no model_index.json. Put the downloaded folder there, "
        "or correct its source in models.toml."
    )


def _hub_folder(source: Source) -> Path:
    """The snapshot of a hub model, from the cache if it is complete there."""
    card = _card(source)
    if card is not None and card.published:
        raise ModelUnavailable(f"{source.name} is published in files of its own layout, which are made into a model folder "
                               f"once: run `athanor models get {source.name}`. Its licence: {card.licence}")
    hub = importlib.import_module("huggingface_hub")
    hub.logging.set_verbosity_error()
    revision = source.revision or DEFAULT_REVISION
    try:
        folder = Path(hub.snapshot_download(source.source, revision=revision, local_files_only=True))
        if (folder / "model_index.json").is_file() and not missing_parts(folder, layout_of(folder)):
            return folder
    except FileNotFoundError:
        pass  # nothing of it is here yet
    try:
        index = hub.hf_hub_download(source.source, "model_index.json", revision=revision)
        wanted = wanted_files(layout_of(Path(index).parent))
        return Path(hub.snapshot_download(source.source, revision=revision, allow_patterns=wanted,
                                          ignore_patterns=list(UNWANTED_FILES)))
    except (OSError, ValueError, hub.errors.EntryNotFoundError) as error:
        raise ModelUnavailable(_how_to_get(source, error)) from error


def _card(source: Source) -> Card | None:
    return next((c for c in CATALOGUE.values() if c.source == source.source), None)


def _how_to_get(source: Source, error: Exception) -> str:
    card = _card(source)
    page = f"https://huggingface.co/{source.source}"
    licence = f" Its licence: {card.licence}." if card else ""
    gate = f" Accept the licence on {page} and log in with `hf auth login` first." if card and card.gated else ""
    cause = type(error.__cause__ or error).__name__
    return (
        f"The model {source.name!r} ({source.source}) is not on this machine and the hub did not give it ({cause}).{gate} "
        f"With a connection, run `athanor models get {source.name}`; without one, copy a folder downloaded elsewhere and "
        f"give it a name with `athanor models add FOLDER`.{licence} Its page: {page}"
    )
