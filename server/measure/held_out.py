# SPDX-License-Identifier: GPL-3.0-or-later
"""Held-out sounds: recordings by others than those the embedded model learned from, each with class, source and licence.

A held-out folder is made by `python -m server.measure.fetch DIR`: `held_out.json`, a list of entries, and the sound files
that it names. No torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from server.audio import Clip, fold_mono, read_clip, resample
from server.errors import InvalidOption

NAME = "held_out.json"
PACKAGES = "packages"


@dataclass(frozen=True)
class Sound:
    """One held-out recording.

    Attributes:
        path: of the file.
        class_name: a class of the embedded model's vocabulary.
        source: what counts as one source when sounds are split (a package, a kit, a soundfont).
        licence, address: of the source.
        sha256: of the file's bytes as the source ships them.
        rate: Hz, as recorded: nothing is heard above half of it.
    """

    path: Path
    class_name: str
    source: str
    licence: str
    address: str
    sha256: str
    rate: int

    def clip(self, sample_rate: int, seconds: float | None = None) -> Clip:
        """Mono at `sample_rate` without the silence at its ends; cut, or filled up with silence, to `seconds`."""
        clip = trimmed(resample(fold_mono(read_clip(self.path, max_channels=None)), sample_rate))
        return clip if seconds is None else _of_length(clip, round(seconds * sample_rate))


@dataclass(frozen=True)
class HeldOut:
    """All sounds of a folder, in a fixed order. `packages`: where the archives lie that they came in."""

    sounds: tuple[Sound, ...]
    packages: Path = Path("packages")

    def classes(self) -> list[str]:
        """The classes that have a sound, in order of appearance."""
        return list(dict.fromkeys(sound.class_name for sound in self.sounds))

    def of(self, class_name: str) -> list[Sound]:
        """The sounds of one class."""
        return [sound for sound in self.sounds if sound.class_name == class_name]

    def drawn(self, per_class: int, seed: int) -> list[Sound]:
        """Up to `per_class` sounds of every class, from as many sources as there are, by seed."""
        return [sound for name in self.classes() for sound in _spread(self.of(name), per_class, seed)]

    def mixed(self, count: int, seed: int, stream: int) -> list[Sound]:
        """Up to `count` sounds of as many classes as there are, in an order drawn by seed and `stream`."""
        each = self.drawn(-(-count // max(1, len(self.classes()))), seed)
        return [each[i] for i in np.random.default_rng([seed, stream]).permutation(len(each))[:count]]


def load(folder: Path) -> HeldOut:
    """The held-out sounds of a folder. Raises InvalidOption if it is none, or a file is missing."""
    table = folder / NAME
    if not table.is_file():
        raise InvalidOption(f"{folder} has no {NAME}. Make it with `python -m server.measure.fetch {folder}`.")
    sounds = [Sound(**{**entry, "path": folder / entry["path"]}) for entry in json.loads(table.read_text("utf-8"))]
    missing = [sound.path for sound in sounds if not sound.path.is_file()]
    if missing:
        raise InvalidOption(f"{len(missing)} held-out sounds are missing, {missing[0]} first. Make the folder again with "
                            f"`python -m server.measure.fetch {folder}`.")
    return HeldOut(tuple(sounds), folder / PACKAGES)


def save(folder: Path, sounds: Iterable[Sound]) -> None:
    """Write the table; the sounds' files lie in `folder` already."""
    entries = [asdict(sound) | {"path": sound.path.relative_to(folder).as_posix()} for sound in sounds]
    (folder / NAME).write_text(json.dumps(entries, indent=0) + "\n", encoding="utf-8")


def trimmed(clip: Clip, below_peak_db: float = 50.0) -> Clip:
    """A clip without what is `below_peak_db` under its peak at both ends, but for 5 ms before and 50 ms behind."""
    loudness = np.abs(clip.samples).max(axis=0)
    heard = np.flatnonzero(loudness > loudness.max() * 10 ** (-below_peak_db / 20))
    if len(heard) == 0:
        return clip
    start, stop = heard[0] - clip.sample_rate // 200, heard[-1] + clip.sample_rate // 20
    return Clip(clip.samples[:, max(0, start):stop], clip.sample_rate)


def _of_length(clip: Clip, n_samples: int) -> Clip:
    samples = clip.samples[:, :n_samples]
    return Clip(np.pad(samples, ((0, 0), (0, n_samples - samples.shape[1]))), clip.sample_rate)


def _spread(sounds: list[Sound], count: int, seed: int) -> list[Sound]:
    """One of each source in turn."""
    order = np.random.default_rng([seed, 71]).permutation(len(sounds))
    by_source: dict[str, list[Sound]] = {}
    for index in order:
        by_source.setdefault(sounds[index].source, []).append(sounds[index])
    deepest = max(map(len, by_source.values()), default=0)
    return [pool[turn] for turn in range(deepest) for pool in by_source.values() if turn < len(pool)][:count]
