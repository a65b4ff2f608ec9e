"""Recordings as training sources: read with their credits, resampled, trimmed and packed into one file.

A pack is a folder with `recordings.flac` (all takes one after another, 32 kHz mono), `recordings.json` (one entry per
take: place in the file, class, phrases, source, author, licence, address) and `classes.json` (what the class numbers mean).
"""

import csv
import json
import re
from pathlib import Path

import numpy as np
import soundfile
import soxr

from . import held_out
from .format import SAMPLE_RATE
from .vocabulary import CLASSES, class_of_recording, described

LONGEST_S = 15.0
LICENCES = {  # as written in the credits -> as we state it; anything else is left out
    "CC0": "CC0-1.0", "CC0 1.0": "CC0-1.0", "CC 0": "CC0-1.0", "CC-BY": "CC-BY", "CC BY": "CC-BY",
    "CC BY 3.0": "CC-BY-3.0", "CC BY 4.0": "CC-BY-4.0", "CC0-1.0": "CC0-1.0", "MIT": "MIT", "BSD": "BSD",
    "Apache-2.0": "Apache-2.0",
}
ALLOWED = frozenset(LICENCES.values())


def read_mono(path: Path, longest_s: float = LONGEST_S) -> np.ndarray:
    """A sound file as float32 mono at 32 kHz, silence at both ends removed, at most `longest_s` long."""
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = soxr.resample(audio.mean(axis=1), rate, SAMPLE_RATE).astype(np.float32)
    loud = np.flatnonzero(np.abs(mono) > 0.003 * (np.abs(mono).max() + 1e-9))
    if len(loud) == 0:
        return mono[:0]
    return mono[max(0, loud[0] - 160):loud[-1] + 1600][:int(longest_s * SAMPLE_RATE)]


def source_of(file: str, address: str) -> str:
    """What counts as one source for the split: a speaker, the original upload where it is known, else the file's stem."""
    speaker = re.search(r"#voice-(\w+)$", address)
    if speaker:
        return f"voice-{speaker.group(1)}"
    upload = re.search(r"/sounds?/(\d+)|/s/(\d+)", address)
    if upload:
        return f"upload-{upload.group(1) or upload.group(2)}"
    parts = Path(file).stem.split("-")
    return f"upload-{parts[1]}" if len(parts) == 3 and parts[1].isdigit() else f"file-{Path(file).stem}"


def collect(folder: Path) -> tuple[list[np.ndarray], list[dict]]:
    """All usable recordings of `*/credits.csv` under a folder, in a fixed order.

    Raises `InvalidOption` for a file that is held out for evaluation.
    """
    takes, entries, listed = [], [], held_out.load()
    for credits in sorted(folder.glob("*/credits.csv")):
        with credits.open(newline="", encoding="utf-8") as stream:
            rows = sorted(csv.DictReader(stream), key=lambda row: row["file"])
        for row in rows:
            found = class_of_recording(row["label"], Path(row["file"]).name)
            licence = LICENCES.get(row["licence"].strip())
            if found is None or licence is None:
                continue
            held_out.refuse(credits.parent / row["file"], listed)
            take = read_mono(credits.parent / row["file"])
            if len(take) < 0.05 * SAMPLE_RATE:
                continue
            takes.append(take)
            source = source_of(row["file"], row["source"])
            entries.append({
                "class": found[0], "phrases": found[1], "kind": "speech" if source.startswith("voice-") else "recording",
                "words": (), "source": source, "file": f"{credits.parent.name}/{row['file']}",
                "title": row["title"], "author": row["author"], "licence": licence, "address": row["source"],
            })
    return takes, entries


def pack(takes: list[np.ndarray], entries: list[dict], out: Path, classes: list[dict] | None = None) -> None:
    """Write takes (peak-normalised) and their entries as a pack folder; `classes` as `vocabulary.described` gives them."""
    out.mkdir(parents=True, exist_ok=True)
    start, placed = 0, []
    with soundfile.SoundFile(out / "recordings.flac", "w", SAMPLE_RATE, 1, "PCM_16") as stream:
        for take, entry in zip(takes, entries, strict=True):
            placed.append({**entry, "start": start, "length": len(take)})
            start += len(take)
            stream.write(take * (0.9 / (np.abs(take).max() + 1e-9)))
    (out / "recordings.json").write_text(json.dumps(placed, indent=0), encoding="utf-8")
    known = classes or [described(sound) for sound in CLASSES]
    (out / "classes.json").write_text(json.dumps(known, indent=1), encoding="utf-8")


def unpack(folder: Path) -> tuple[np.ndarray, list[dict]]:
    """The pack's audio as one int16 array and its entries."""
    audio, _ = soundfile.read(folder / "recordings.flac", dtype="int16")
    return audio, json.loads((folder / "recordings.json").read_text(encoding="utf-8"))


def classes_of(folder: Path) -> list[dict]:
    """What the class numbers of a pack mean: name, phrases, group, example and weight of each."""
    return json.loads((folder / "classes.json").read_text(encoding="utf-8"))
