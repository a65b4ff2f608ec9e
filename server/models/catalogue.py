# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models there are, by name, without loading any: read by the command line and the front end, so no torch here.

A name stands for a hub repository or a folder in the diffusers layout. Names always known are in `CATALOGUE`; a person
adds or overrides names in `<home>/models.toml`:

    [my-strings]
    source = "/data/models/strings"        # a folder, or "owner/name" on the hub
    revision = "0123abc"                   # hub only: branch, tag or commit; the card's, else "main", when left out
    dtype = "float16"                      # float32 (default), float16, bfloat16: the denoiser's alone
    device = "cuda:1"                      # auto (default), cpu, cuda, cuda:N, mps
    window = "cropped"                     # Stable Audio layout only: full (default) or cropped
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

from server.errors import InvalidOption, ModelUnavailable
from server.models.origin import origin_of

LAYOUT_OF_PIPELINE = {
    "StableAudioPipeline": "stable_audio",
    "AudioLDM2Pipeline": "audioldm2",
    "AudioLDMPipeline": "audioldm",
    "MusicLDMPipeline": "musicldm",
    "TangoPipeline": "tango",
    "StableAudioSmallPipeline": "stable_audio_small",
    "PatchMosaicPipeline": "patches",
}
METHODS_OF_LAYOUT: Mapping[str, frozenset[str]] = {
    "stable_audio_small": frozenset({"generate"}),
}
"""The only methods that models of a layout can be used for; layouts that are not here can be used for all."""
EMBEDDED_FOLDER = Path(__file__).parent / "embedded" / "weights"
MOSAIC_FOLDER = EMBEDDED_FOLDER.with_name("mosaic")
WAVEFORM_FOLDER = EMBEDDED_FOLDER.with_name("waveform") / "weights"
SHIPPED = (EMBEDDED_FOLDER, MOSAIC_FOLDER, WAVEFORM_FOLDER)  # with the package; all know the same words
DEFAULT_REVISION = "main"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_WEIGHT_FILES = (".json", ".safetensors", ".txt", ".model")


@dataclass(frozen=True)
class Card:
    """What a person wants to know before choosing a model.

    memory_gb: all weights in float32, in GB; sample_rate in Hz; max_s: longest clip of one pass, seconds; gated: the
    licence must be accepted on the hub before the files can be had; published: in files that are no model folder, of which
    `athanor models get` makes one; window: as in `Source`, where not the adapter's own; revision: the commit of `source`
    that this was written for, where one is known.
    """

    name: str
    source: str
    layout: str
    title: str
    used_for: str
    licence: str
    licence_url: str
    sample_rate: int
    channels: int
    max_s: float
    memory_gb: float
    gated: bool = False
    published: bool = False
    window: str | None = None
    revision: str | None = None


@dataclass(frozen=True)
class Source:
    """Where a model comes from and how it is to be loaded, as configured; None where the loader's default holds."""

    name: str
    source: str
    revision: str | None = None
    dtype: str | None = None
    device: str | None = None
    window: str | None = None

    @property
    def is_hub(self) -> bool:
        """Whether `source` is a hub id rather than a folder."""
        return not Path(self.source).is_dir() and _HUB_ID.fullmatch(self.source) is not None


# Commits are those that public code pins, for want of the hub here: AudioLDM 2's in tools/parity/audioldm2_inspect.py of
# ayutaz/vokra, Stable Audio's in tools/stage_sat_large_repos.py and stage_saos_repo.py of betweentwomidnights/sa3.cpp. For
# the others none was found: the newest is taken, and the commit that came is written into the model's origin.json.
_CC_BY_NC_SA = "CC BY-NC-SA 4.0: no commercial use of the weights"
CATALOGUE: Mapping[str, Card] = {card.name: card for card in (
    Card("embedded", str(EMBEDDED_FOLDER), "audioldm", "Athanor's own small model",
         "everything, on a laptop, with no download", "GPL-3.0-or-later: ships with the project", "", 32000, 1, 10.24, 0.1),
    Card("mosaic", str(MOSAIC_FOLDER), "patches", "Athanor's mosaic of short sounds",
         "fusing at once: the original's shape out of the reference's own grains; real timbres, pieced together",
         "GPL-3.0-or-later: ships with the project", "", 32000, 1, 10.24, 0.1),
    Card("waveform", str(WAVEFORM_FOLDER), "stable_audio", "Athanor's own small waveform model",
         "fusing in stereo without a vocoder: tones below 2 kHz stay what they are; hardly follows words yet",
         "GPL-3.0-or-later: ships with the project", "",
         32000, 2, 10.24, 0.1, window="cropped"),
    Card("stable-audio-open", "stabilityai/stable-audio-open-1.0", "stable_audio", "Stable Audio Open 1.0",
         "fusion (the paper's model); stereo 44.1 kHz", "Stability AI Community License: see its page for commercial use",
         "https://huggingface.co/stabilityai/stable-audio-open-1.0", 44100, 2, 47.55, 5.3, gated=True,
         revision="f21265c1e2710b3bd2386596943f0007f55f802e"),
    Card("audioldm2", "cvssp/audioldm2", "audioldm2", "AudioLDM 2", "separation, editing, restoration", _CC_BY_NC_SA,
         "https://huggingface.co/cvssp/audioldm2", 16000, 1, 10.24, 4.2,
         revision="c8e7e189d324425c05c4c2f81214041ef4107983"),
    Card("audioldm2-music", "cvssp/audioldm2-music", "audioldm2", "AudioLDM 2 Music", "editing of music", _CC_BY_NC_SA,
         "https://huggingface.co/cvssp/audioldm2-music", 16000, 1, 10.24, 4.2),
    Card("audioldm2-large", "cvssp/audioldm2-large", "audioldm2", "AudioLDM 2 Large", "editing, separation", _CC_BY_NC_SA,
         "https://huggingface.co/cvssp/audioldm2-large", 16000, 1, 10.24, 5.7,
         revision="4b0b875a9e0c5305dfc917da808584e50e1c7ed4"),
    Card("audioldm", "cvssp/audioldm-s-full-v2", "audioldm", "AudioLDM small v2", "separation", _CC_BY_NC_SA,
         "https://huggingface.co/cvssp/audioldm-s-full-v2", 16000, 1, 10.24, 1.7),
    Card("audioldm-large", "cvssp/audioldm-l-full", "audioldm", "AudioLDM large", "separation", _CC_BY_NC_SA,
         "https://huggingface.co/cvssp/audioldm-l-full", 16000, 1, 10.24, 3.9),
    Card("musicldm", "ucsd-reach/musicldm", "musicldm", "MusicLDM", "restoration of music", _CC_BY_NC_SA,
         "https://huggingface.co/ucsd-reach/musicldm", 16000, 1, 10.24, 1.7),
    Card("tango", "declare-lab/tango", "tango", "Tango", "separation", _CC_BY_NC_SA,
         "https://huggingface.co/declare-lab/tango", 16000, 1, 10.24, 5.3, published=True),
    Card("tango2", "declare-lab/tango2", "tango", "Tango 2", "separation; follows longer prompts", _CC_BY_NC_SA,
         "https://huggingface.co/declare-lab/tango2", 16000, 1, 10.24, 5.3, published=True),
    Card("stable-audio-open-small", "stabilityai/stable-audio-open-small", "stable_audio_small", "Stable Audio Open Small",
         "generating in eight steps, and nothing else; stereo 44.1 kHz",
         "Stability AI Community License: see its page for commercial use",
         "https://huggingface.co/stabilityai/stable-audio-open-small", 44100, 2, 11.89, 2.4, gated=True, published=True,
         revision="dc620d91535857b72ebb59b4ca45978db6d417f5"),
)}


def find(name: str, home: Path | None = None) -> Source:
    """The source of a known or configured name, a folder in the hub layout, or a hub id "owner/name".

    Raises:
        InvalidOption: neither; the message names the nearest known name. Or `<home>/models.toml` is not valid.
        ModelUnavailable: `name` is a path where there is no folder.
    """
    known = sources(home)
    if name in known:
        return known[name]
    path = Path(name).expanduser()
    if path.is_dir():
        return Source(name, str(path.resolve()))
    if name.startswith((".", "~")) or path.is_absolute() or "\\" in name:
        raise ModelUnavailable(f"There is no model folder {path}. Give a folder that holds a model_index.json.")
    if _HUB_ID.fullmatch(name):
        return Source(name, name, next((card.revision for card in CATALOGUE.values() if card.source == name), None))
    raise InvalidOption(
        f"There is no model called {name!r}.{_nearest(name, known)} Known: {', '.join(known)}; a folder and a hub id "
        '"owner/name" are allowed too.'
    )


def able(kind: str) -> list[str]:
    """Names of the catalogue that the method `kind` can use."""
    return [card.name for card in CATALOGUE.values() if kind in METHODS_OF_LAYOUT.get(card.layout, {kind})]


def sources(home: Path | None = None) -> dict[str, Source]:
    """Every known name: the catalogue, then what `<home>/models.toml` adds or overrides. Raises InvalidOption."""
    known = {card.name: Source(card.name, card.source, card.revision, window=card.window) for card in CATALOGUE.values()}
    return known | (_configured(home / "models.toml") if home is not None else {})


def layout_of(folder: Path) -> str:
    """The adapter of a model folder, by the `_class_name` in its model_index.json. Raises ModelUnavailable."""
    index = folder / "model_index.json"
    try:
        pipeline = json.loads(index.read_text(encoding="utf-8"))["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailable(
            f"{folder} is not a model folder: its model_index.json cannot be read ({type(error).__name__}). "
            "Give a folder in the diffusers layout, as downloaded from the hub."
        ) from error
    if pipeline not in LAYOUT_OF_PIPELINE:
        raise ModelUnavailable(
            f"{folder} holds a {pipeline}; this version runs {', '.join(LAYOUT_OF_PIPELINE)}. Choose another model."
        )
    return LAYOUT_OF_PIPELINE[pipeline]


def revision_of(source: Source) -> str | None:
    """What identifies the weights: a folder's fingerprint, or the commit of a hub model on this machine; None if not here.

    The same string as `BackboneFacts.revision` of the loaded model.
    """
    if not source.is_hub:
        folder = Path(source.source)
        return folder_revision(folder) if (folder / "model_index.json").is_file() else None
    cache = _hub_cache() / f"models--{source.source.replace('/', '--')}"
    revision = source.revision or DEFAULT_REVISION
    if (cache / "snapshots" / revision).is_dir():
        return revision
    ref = cache / "refs" / revision
    return ref.read_text(encoding="utf-8").strip() if ref.is_file() else None


def folder_revision(folder: Path) -> str:
    """Fingerprint of a model folder: SHA-256 over the names, sizes and contents of its configs, tokenizers and weights.

    A folder that names another as its `base` takes in that one's. Reads every byte once per process (about a second
    per GB) and again only after a file changed in size or time. Of a folder that was fetched from the hub and is as it
    came, the commit, without reading it.
    """
    if origin := origin_of(folder):
        return origin.revision
    folders = [folder, folder / base] if (base := _base(folder)) else [folder]
    files = [p for one in folders for p in sorted(one.rglob("*")) if p.is_file() and p.suffix in _WEIGHT_FILES]
    return _fingerprint(folder, tuple((p, p.stat().st_size, p.stat().st_mtime_ns) for p in files))


def _base(folder: Path) -> str | None:
    """What a folder's index names as its base, if anything."""
    try:
        return json.loads((folder / "model_index.json").read_text(encoding="utf-8")).get("base")
    except (OSError, ValueError, AttributeError):
        return None


@lru_cache(maxsize=32)
def _fingerprint(folder: Path, files: tuple[tuple[Path, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for path, size, _ in files:
        with path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{size}\0{content}\n".encode())
    return f"sha256-{digest.hexdigest()[:32]}"


def _hub_cache() -> Path:
    """The hub library's cache folder, by its own rules."""
    if explicit := os.environ.get("HF_HUB_CACHE"):
        return Path(explicit)
    home = os.environ.get("HF_HOME")
    return (Path(home) if home else Path.home() / ".cache" / "huggingface") / "hub"


def _configured(path: Path) -> dict[str, Source]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidOption(f"{path} is not valid TOML: {error}.") from error
    return {name: _source(path, name, table) for name, table in tables.items()}


def _source(path: Path, name: str, table: object) -> Source:
    allowed = [f.name for f in fields(Source) if f.name != "name"]
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        raise InvalidOption(f"{path}: [{name}] must be a table of texts: {', '.join(allowed)}.")
    for key in table:
        if key not in allowed:
            known = f"{_nearest(key, allowed)} Known: {', '.join(allowed)}."
            raise InvalidOption(f"{path}: [{name}] has no key {key!r}.{known}")
    if "source" not in table and name not in CATALOGUE:
        raise InvalidOption(f'{path}: [{name}] needs source = "a folder or owner/name".')
    given = table.get("source") or CATALOGUE[name].source
    local = path.parent / Path(given).expanduser()  # an absolute path stays what it is
    card = CATALOGUE.get(name)
    by_card = {"window": card.window, "revision": card.revision if given == card.source else None} if card else {}
    return Source(name, **{**by_card, **table, "source": str(local.resolve()) if local.is_dir() else given})


def _nearest(name: str, known: Iterable[str]) -> str:
    match = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {match[0]!r}?" if match else ""
