# SPDX-License-Identifier: GPL-3.0-or-later
"""MUSIC and AVE with the splits of DAVIS (github.com/WikiChao/DAVIS): ZeroSep's mixtures of two videos' sounds.

Index files and folders:

    AVE     data/AVE/{train,val,test}.csv, rows `ID.wav,ID.mp4,12,CLASS`; sounds in AUDIO/ID.wav, 10 s each
    MUSIC   rows `./data/audio/INSTRUMENT/ID.wav,./data/frames/INSTRUMENT/ID.mp4,N`; sounds in AUDIO/INSTRUMENT/ID.wav

The second sound of row i is drawn by Python's `random.seed(i)` from the whole index until the class differs, as in DAVIS's
validation; both are 5.94 s around a middle (5 s for AVE, half-way for MUSIC), and the mixture is their mean. DAVIS holds
its sounds at 11025 Hz; here they keep the rate of the files. Its own list of test pairs for MUSIC (`testsepmusic.csv`) is
not in its repository, so `music` draws in the same way from whatever index it is given.

`rendered` reads what DAVIS and ZeroSep's evaluation write, levels as they are: FOLDER/A+B/{gt1,gt2,mix}.wav.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from server.audio import Clip, fold_mono, read_clip, resample, to_length
from server.errors import InvalidOption
from server.measure.datasets.missing import need
from server.measure.datasets.mixture import Mixture

SECONDS = 65535 / 11025
WHERE = ("AVE: https://github.com/YapengTian/AVE-ECCV18; MUSIC: https://github.com/roudimit/MUSIC_dataset; their splits: "
         "https://github.com/WikiChao/DAVIS (data/AVE, data/Music).")
_ID = 11  # characters of a video's name


@dataclass(frozen=True)
class Item:
    """A sound of an index: its file below the audio folder, and its class in words."""

    file: str
    label: str


def ave(audio: Path, index: Path) -> Iterator[Mixture]:
    """AVE's mixtures of an index file, one for each of its rows; mono. Raises InvalidOption as `music` does."""
    items = [Item(row[0], row[3]) for row in _rows(index, 4)]
    return _mixtures(audio, items, center_s=5.0)


def music(audio: Path, index: Path) -> Iterator[Mixture]:
    """MUSIC's mixtures of an index file, one for each of its rows; mono. The class is the folder's name.

    Raises:
        InvalidOption: the index or a sound of it is missing, the index holds no rows or a single class. The sounds are
            looked for before the first mixture is made.
    """
    items = []
    for row in _rows(index, 2):
        folder, name = Path(row[0].strip()).parts[-2:]
        items.append(Item(f"{folder}/{name}", folder.replace("_", " ")))
    return _mixtures(audio, items, center_s=None)


def rendered(folder: Path) -> Iterator[Mixture]:
    """The mixtures of a folder of `A+B/{gt1,gt2,mix}.wav`.

    A side is `ID-CLASS` (AVE) or `CLASS-ID` (MUSIC), the ID being the eleven characters of a video; the published script
    takes whatever follows the last dash for the class, which for MUSIC is the ID.

    Raises:
        InvalidOption: a file is missing, or a folder's name is not of that form.
    """
    names = sorted(path for path in need(folder, "a folder of rendered mixtures", WHERE).iterdir() if "+" in path.name)
    if not names:
        raise InvalidOption(f"{folder} has no folders named A+B with gt1.wav, gt2.wav and mix.wav. {WHERE}")
    return (_rendered(path) for path in names)


def class_of(side: str) -> str:
    """The class in words of one side of a rendered folder's name. Raises InvalidOption."""
    side = side.split("_", 2)[2] if side.startswith("sample_") else side
    behind, before = side[_ID + 1:], side[:-_ID - 1]
    # A video's name may hold dashes itself, and begins a side of AVE; a class has none.
    if side[_ID:_ID + 1] == "-" and behind and "-" not in behind:
        return behind
    if side[-_ID - 1:-_ID] == "-" and before:
        return before.replace("_", " ")
    raise InvalidOption(f"{side!r} is neither ID-CLASS nor CLASS-ID with an ID of {_ID} characters.")


def _rendered(folder: Path) -> Mixture:
    names = [class_of(side) for side in folder.name.split("+", 1)]
    clips = [fold_mono(read_clip(need(folder / f"{name}.wav", "a part of a rendered mixture", WHERE)))
             for name in ("gt1", "gt2", "mix")]
    return Mixture(clips[2], dict(zip(names, clips[:2], strict=True)), folder.name, {name: name for name in names})


def _rows(index: Path, columns: int) -> list[list[str]]:
    with need(index, "an index file of DAVIS", WHERE).open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if len(row) >= columns]
    if not rows:
        raise InvalidOption(f"{index} has no rows of {columns} columns. {WHERE}")
    return rows


def _mixtures(audio: Path, items: Sequence[Item], center_s: float | None) -> Iterator[Mixture]:
    if len({item.label for item in items}) < 2:
        raise InvalidOption(f"The index has the class {items[0].label!r} alone; a mixture needs two.")
    missing = [item.file for item in items if not (audio / item.file).is_file()]
    if missing:
        raise InvalidOption(f"{audio} lacks {len(missing)} of {len(items)} sounds, {missing[0]} first. {WHERE}")
    return (_pair(audio, item, _other(items, number), center_s) for number, item in enumerate(items))


def _other(items: Sequence[Item], number: int) -> Item:
    """The sound that row `number` is mixed with."""
    draw = random.Random(number)
    while True:
        other = items[draw.randint(0, len(items) - 1)]
        if other.label != items[number].label:
            return other


def _pair(audio: Path, first: Item, second: Item, center_s: float | None) -> Mixture:
    clips = [_cut(fold_mono(read_clip(audio / item.file)), center_s) for item in (first, second)]
    rate = max(clip.sample_rate for clip in clips)
    # Each at half, so that the mixture is their mean and still their sum.
    halves = [Clip(0.5 * to_length(resample(clip, rate), round(SECONDS * rate)).samples, rate) for clip in clips]
    return Mixture(Clip(halves[0].samples + halves[1].samples, rate),
                   {item.label: clip for item, clip in zip((first, second), halves, strict=True)},
                   f"{Path(first.file).stem}-{first.label}+{Path(second.file).stem}-{second.label}",
                   {item.label: item.label for item in (first, second)})


def _cut(clip: Clip, center_s: float | None) -> Clip:
    """SECONDS around a middle; a shorter clip is repeated first; what lies outside is silence."""
    length = round(SECONDS * clip.sample_rate)
    samples = np.tile(clip.samples, -(-length // clip.n_samples)) if clip.n_samples < length else clip.samples
    middle = samples.shape[1] // 2 if center_s is None else round(center_s * clip.sample_rate)
    start = middle - length // 2
    padded = np.pad(samples, ((0, 0), (max(0, -start), max(0, start + length - samples.shape[1]))))
    return Clip(padded[:, max(0, start):max(0, start) + length], clip.sample_rate)
