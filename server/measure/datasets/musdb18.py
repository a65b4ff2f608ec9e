# SPDX-License-Identifier: GPL-3.0-or-later
"""MUSDB18 in its decoded layout, which MUSDB18-HQ and the 7 s excerpts as wav have too: DiffMusic's songs.

    ROOT/train|test/ARTIST - TITLE/mixture.wav, vocals.wav, drums.wav, bass.wav, other.wav

The original MUSDB18 packs each song into one `.stem.mp4`; `musdbconvert IN OUT` of the package musdb unpacks them into this
layout. DiffMusic takes 5 s from each of 100 songs (the train split has 100), at places that it does not tell: here they
follow from the seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from server.audio import Clip, read_clip
from server.errors import InvalidInput, InvalidOption
from server.measure.datasets.missing import need
from server.measure.datasets.mixture import Mixture

STEMS = ("vocals", "drums", "bass", "other")
WHERE = "MUSDB18 and MUSDB18-HQ: https://sigsep.github.io/datasets/musdb.html (academic use; ask for access there)."


def songs(root: Path, split: str = "test") -> list[Path]:
    """The song folders of a split, sorted. Raises InvalidOption: there are none, or they are still packed."""
    folder = need(root / split, f"the split {split!r} of MUSDB18 ('train' or 'test')", WHERE)
    packed = sorted(folder.glob("*.stem.mp4"))
    found = sorted(path for path in folder.iterdir() if path.is_dir())
    if not found:
        raise InvalidOption(f"{folder} holds {len(packed)} packed songs and none as wav. " + (
            f"Unpack them: `pip install musdb` (it needs ffmpeg), then `musdbconvert {root} OUT`." if packed else WHERE))
    return found


def excerpts(root: Path, split: str = "test", *, seconds: float = 5.0, seed: int = 0) -> Iterator[Mixture]:
    """One excerpt of each song, stereo 44.1 kHz, where by seed and song; a song that is shorter comes whole.

    The mixture is the file's, which equals the sum of the stems up to rounding. A stem that is silent there is left out.

    Raises:
        InvalidOption: as `songs`, or a stem is missing.
        InvalidInput: files of one song differ in rate or length.
    """
    return (_excerpt(song, seconds, seed, number) for number, song in enumerate(songs(root, split)))


def _excerpt(song: Path, seconds: float, seed: int, number: int) -> Mixture:
    clips = {name: read_clip(need(song / f"{name}.wav", f"the stem {name!r} of {song.name}", WHERE))
             for name in ("mixture", *STEMS)}
    whole = clips["mixture"]
    if any((clip.sample_rate, clip.n_samples) != (whole.sample_rate, whole.n_samples) for clip in clips.values()):
        raise InvalidInput(f"The stems of {song.name} differ in rate or length from its mixture.")
    length = min(round(seconds * whole.sample_rate), whole.n_samples)
    start = int(np.random.default_rng([seed, 83, number]).integers(whole.n_samples - length + 1))
    cut = {name: Clip(clip.samples[:, start:start + length], clip.sample_rate) for name, clip in clips.items()}
    stems = {name: cut[name] for name in STEMS if np.abs(cut[name].samples).max() > 0}
    title = f"{song.name} at {start / whole.sample_rate:.2f} s"
    return Mixture(cut["mixture"], stems, title, {name: name for name in stems})
