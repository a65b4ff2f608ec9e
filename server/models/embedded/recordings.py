"""Recordings as training sources: read with their credits, resampled, trimmed and packed into one Ogg Vorbis file.

A pack is a folder with `recordings.ogg` (all takes one after another, 32 kHz mono, high quality) and `recordings.json`
(one entry per take: place in the file, class, phrases, source, author, licence, address).
"""

import csv
import json
import re
from pathlib import Path

import numpy as np
import soundfile
import soxr

from .format import SAMPLE_RATE
from .vocabulary import class_of_recording

LONGEST_S = 15.0
LICENCES = {  # as written in the credits -> as we state it; anything else is left out
    "CC0": "CC0-1.0", "CC0 1.0": "CC0-1.0", "CC 0": "CC0-1.0", "CC-BY": "CC-BY", "CC BY": "CC-BY",
    "CC BY 3.0": "CC-BY-3.0", "CC BY 4.0": "CC-BY-4.0", "MIT": "MIT", "BSD": "BSD",
}
ALLOWED = frozenset(LICENCES.values())


def read_mono(path: Path) -> np.ndarray:
    """A sound file as float32 mono at 32 kHz, silence at both ends removed, at most `LONGEST_S` long."""
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = soxr.resample(audio.mean(axis=1), rate, SAMPLE_RATE).astype(np.float32)
    loud = np.flatnonzero(np.abs(mono) > 0.003 * (np.abs(mono).max() + 1e-9))
    if len(loud) == 0:
        return mono[:0]
    return mono[max(0, loud[0] - 160):loud[-1] + 1600][:int(LONGEST_S * SAMPLE_RATE)]


def source_of(file: str, address: str) -> str:
    """What counts as one source for the split: the original upload where it is known, else the file's stem."""
    upload = re.search(r"/sounds?/(\d+)|/s/(\d+)", address)
    if upload:
        return f"upload-{upload.group(1) or upload.group(2)}"
    parts = Path(file).stem.split("-")
    return f"upload-{parts[1]}" if len(parts) == 3 and parts[1].isdigit() else f"file-{Path(file).stem}"


def collect(folder: Path) -> tuple[list[np.ndarray], list[dict]]:
    """All usable recordings of `*/credits.csv` under a folder, in a fixed order."""
    takes, entries = [], []
    for credits in sorted(folder.glob("*/credits.csv")):
        with credits.open(newline="", encoding="utf-8") as stream:
            rows = sorted(csv.DictReader(stream), key=lambda row: row["file"])
        for row in rows:
            found = class_of_recording(row["label"], Path(row["file"]).name)
            licence = LICENCES.get(row["licence"].strip())
            if found is None or licence is None:
                continue
            take = read_mono(credits.parent / row["file"])
            if len(take) < 0.05 * SAMPLE_RATE:
                continue
            takes.append(take)
            entries.append({
                "class": found[0], "phrases": found[1], "kind": "recording", "words": (),
                "source": source_of(row["file"], row["source"]), "file": f"{credits.parent.name}/{row['file']}",
                "title": row["title"], "author": row["author"], "licence": licence, "address": row["source"],
            })
    return takes, entries


def pack(takes: list[np.ndarray], entries: list[dict], out: Path) -> None:
    """Write takes (peak-normalised) and their entries as a pack folder."""
    out.mkdir(parents=True, exist_ok=True)
    start, placed = 0, []
    for take, entry in zip(takes, entries, strict=True):
        placed.append({**entry, "start": start, "length": len(take)})
        start += len(take)
    scaled = [take * (0.9 / (np.abs(take).max() + 1e-9)) for take in takes]
    audio = np.concatenate(scaled)
    with soundfile.SoundFile(out / "recordings.ogg", "w", SAMPLE_RATE, 1, "VORBIS", format="OGG",
                             compression_level=0.1) as stream:
        for at in range(0, len(audio), 1 << 16):  # libvorbis takes only moderate blocks
            stream.write(audio[at:at + (1 << 16)])
    (out / "recordings.json").write_text(json.dumps(placed, indent=0), encoding="utf-8")


def unpack(folder: Path) -> tuple[np.ndarray, list[dict]]:
    """The pack's audio as one int16 array and its entries."""
    audio, _ = soundfile.read(folder / "recordings.ogg", dtype="int16")
    return audio, json.loads((folder / "recordings.json").read_text(encoding="utf-8"))
