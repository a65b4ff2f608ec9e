# SPDX-License-Identifier: GPL-3.0-or-later
"""A set of mixtures by one word of the command line.

    musdb18:ROOT            the test split of MUSDB18 as wav; musdb18:ROOT:train for the other
    ave:AUDIO:INDEX.csv     AVE with an index file of DAVIS
    music:AUDIO:INDEX.csv   MUSIC likewise
    rendered:FOLDER         mixtures that ZeroSep's or DAVIS's scripts wrote
    music_like, events      of the held-out recordings (`offline`): the instruments of MUSIC; two sounds of any classes
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from server.audio import Clip, fold_mono, resample
from server.errors import InvalidOption
from server.measure.datasets import davis, musdb18
from server.measure.datasets.mixture import Mixture
from server.measure.datasets.offline import MUSIC_LIKE, event_mixtures, instrument_mixtures
from server.measure.held_out import HeldOut

NAMES = ("musdb18", "ave", "music", "rendered")
OFFLINE = ("music_like", "events")
_INDEXED = ("ave", "music")


def opened(said: str, held_out: HeldOut | None = None, *, seconds: float, sample_rate: int, seed: int) -> Iterator[Mixture]:
    """The mixtures of a set, mono at `sample_rate`, cut to `seconds`; offline ones and MUSDB18's cuts follow from the seed.

    A stem that is silent in the cut is left out, and a mixture with fewer than two audible stems.

    Raises:
        InvalidOption: it is not written as above, or the loader misses something.
    """
    if said in OFFLINE:
        return _offline(said, held_out, seconds=seconds, sample_rate=sample_rate, seed=seed)
    name, _, where = said.partition(":")
    # From behind, as a folder's name may hold a colon (C:\\...).
    folder, _, last = where.rpartition(":") if name in _INDEXED or where.endswith((":train", ":test")) else (where, "", "")
    if name not in NAMES or not folder:
        raise InvalidOption(f"--data {said!r} is no set: write musdb18:ROOT, ave:AUDIO:INDEX.csv, music:AUDIO:INDEX.csv, "
                            "rendered:FOLDER, music_like or events.")
    if name == "musdb18":
        found = musdb18.excerpts(Path(folder), last or "test", seconds=seconds, seed=seed)
    elif name == "rendered":
        found = davis.rendered(Path(folder))
    else:
        found = (davis.ave if name == "ave" else davis.music)(Path(folder), Path(last))
    alike = (_alike(mixture, seconds, sample_rate) for mixture in found)
    return (mixture for mixture in alike if len(mixture.stems) > 1)


def _offline(said: str, held_out: HeldOut | None, *, seconds: float, sample_rate: int, seed: int) -> Iterator[Mixture]:
    if held_out is None:
        raise InvalidOption(f"--data {said} is made of the held-out sounds: fetch them with "
                            "`python -m server.measure.fetch DIR` and say `--held-out DIR`.")
    if said == "events":
        return iter(event_mixtures(held_out, seed, seconds=seconds, sample_rate=sample_rate))
    return iter(instrument_mixtures(held_out, seed, instruments=MUSIC_LIKE, seconds=seconds, sample_rate=sample_rate))


def _alike(mixture: Mixture, seconds: float, sample_rate: int) -> Mixture:
    def cut(clip: Clip) -> Clip:
        return Clip(resample(fold_mono(clip), sample_rate).samples[:, :round(seconds * sample_rate)], sample_rate)

    stems = {label: cut(clip) for label, clip in mixture.stems.items()}
    return Mixture(cut(mixture.clip), {label: clip for label, clip in stems.items() if not clip.is_silent}, mixture.name,
                   mixture.classes)
