"""A person's own folder of labelled sounds as a pack: the folder decides the classes, nothing is synthesised.

Layouts: one subfolder per label; or sound files side by side, whose names without their number are the labels. A file
`captions.csv` in the folder (columns `file`, `caption`) gives single files words of their own.
"""

import csv
import math
import re
from collections import Counter
from pathlib import Path

import numpy as np
import soundfile

from server.errors import InvalidOption

from . import held_out
from .format import SAMPLE_RATE
from .recordings import LONGEST_S, pack, read_mono

ENDINGS = frozenset(f".{name.lower()}" for name in (*soundfile.available_formats(), "aif", "oga", "opus", "mp3"))
SHORTEST_S, LONGEST_FILE_S = 0.05, 600.0


def label_of(path: Path, folder: Path) -> str:
    """The label of a sound: its first subfolder's name, or in a flat folder its name without numbers at the end."""
    parts = path.relative_to(folder).parts
    name = parts[0] if len(parts) > 1 else re.sub(r"[\s_.\-(]*\d+[\s_.\-)]*$", "", path.stem) or path.stem
    return re.sub(r"[\s_\-]+", " ", name).strip().lower()


def _captions(folder: Path) -> dict[str, str]:
    path = folder / "captions.csv"
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = csv.DictReader(stream)
        if not {"file", "caption"} <= set(rows.fieldnames or ()):
            raise InvalidOption(f"{path} has the columns {', '.join(rows.fieldnames or ()) or 'of an empty file'}; "
                                "it needs a first line with the columns file and caption.")
        captions = {(row["file"] or "").strip(): (row["caption"] or "").strip() for row in rows}
    for name in captions:
        if not (folder / name).is_file():
            raise InvalidOption(f"{path} names the file {name!r}, which is not in {folder}. Correct the line or remove it.")
    return {name: caption for name, caption in captions.items() if caption}


def _takes_of(path: Path) -> list[np.ndarray]:
    """A file's takes of equal length, each at most `LONGEST_S`; none where it cannot be read or is silent."""
    try:
        take = read_mono(path, longest_s=LONGEST_FILE_S)
    except (soundfile.LibsndfileError, RuntimeError):
        return []
    if len(take) < SHORTEST_S * SAMPLE_RATE:
        return []
    return np.array_split(take, math.ceil(len(take) / (LONGEST_S * SAMPLE_RATE)))


def collect_folder(folder: Path) -> tuple[list[np.ndarray], list[dict]]:
    """All readable sounds under a folder as takes (float32 mono, 32 kHz) with their entries, in a fixed order.

    Entries carry `name`, the label, instead of a class number. A long file gives several takes, of its first ten
    minutes. Raises `InvalidOption` where there is no folder, no readable sound in it, or a held-out sound among them.
    """
    if not folder.is_dir():
        raise InvalidOption(f"{folder} is not a folder. Give a folder with sounds: one subfolder per label, "
                            "or files named by their label, as rain_01.wav.")
    captions, refused = _captions(folder), held_out.load()
    takes, entries, unread = [], [], []
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix.lower() in ENDINGS):
        held_out.refuse(path, refused)
        parts, file, label = _takes_of(path), path.relative_to(folder).as_posix(), label_of(path, folder)
        unread += [] if parts else [path.name]
        takes += parts
        entries += [{"name": label, "phrases": (captions.get(file, label),), "kind": "recording", "words": (),
                     "source": f"own-{held_out.digest(path)[:16]}", "file": file, "title": path.stem, "author": "",
                     "licence": "own", "address": ""}] * len(parts)
    if not takes:
        tried = f" Not readable, or silent: {', '.join(unread[:5])}." if unread else ""
        raise InvalidOption(f"No readable sound was found in {folder}.{tried} Sounds may be wav, flac, aiff, ogg or mp3.")
    return takes, entries


def pack_folder(folder: Path, out: Path) -> list[str]:
    """Write the sounds of a person's folder as a pack that carries its own classes; gives the class names.

    A label's phrases are its name and the captions of its files. Raises `InvalidOption` as `collect_folder` does.
    """
    takes, entries = collect_folder(folder)
    names = sorted(Counter(entry["name"] for entry in entries))
    classes = [{"name": name, "phrases": sorted({p for e in entries if e["name"] == name for p in e["phrases"]} | {name}),
                "group": "own", "example": name, "weight": 1.0} for name in names]
    numbered = [{"class": names.index(e["name"]), **{k: v for k, v in e.items() if k != "name"}} for e in entries]
    pack(takes, numbered, out, classes)
    return names
