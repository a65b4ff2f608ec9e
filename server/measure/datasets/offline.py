# SPDX-License-Identifier: GPL-3.0-or-later
"""The offline separation set: mixtures of held-out recordings, where the papers' own data cannot be had. No torch.

`instrument_mixtures` stands for MUSIC: ten instruments, all 45 pairs, phrases made of real single notes that no model was
trained on, two phrases at equal RMS. `event_mixtures` stands for AVE: two sounds of different classes, whole. Both follow
from the seed alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from server.audio import Clip, fade
from server.errors import InvalidOption
from server.measure.datasets.mixture import Mixture, mixed
from server.measure.held_out import HeldOut, Sound
from server.measure.mel_frames import filled
from server.measure.prompts import prompt_of

PER_PAIR = 4
NOTE_S = (0.35, 1.1)
"""How long a note of a phrase is heard, unless it ends before."""
_LEVEL = 0.1


@dataclass(frozen=True)
class Instrument:
    """label: what to say; class_name: of the held-out sounds; source: part of a package's name, "" for every package."""

    label: str
    class_name: str
    source: str = ""


BY_CLASS = (
    Instrument("a cello", "bowed string", "cello"), Instrument("a flute", "flute", "flute"),
    Instrument("an acoustic guitar", "guitar", "guitar-acoustic"), Instrument("a harp", "plucked string", "harp"),
    Instrument("a clarinet", "reed", "clarinet"), Instrument("a trumpet", "brass", "trumpet"),
    Instrument("a xylophone", "wood", "xylophone"), Instrument("a pipe organ", "organ", "instrument-organ"),
    Instrument("a grand piano", "piano", "piano"), Instrument("drum hits", "drum"),
)
"""Ten instruments, each of another class of the embedded model."""

MUSIC_LIKE = (
    Instrument("an accordion", "organ", "harmonium"), Instrument("an acoustic guitar", "guitar", "guitar-acoustic"),
    Instrument("a cello", "bowed string", "cello"), Instrument("a clarinet", "reed", "clarinet"),
    Instrument("a flute", "flute", "flute"), Instrument("a saxophone", "reed", "saxophone"),
    Instrument("a trumpet", "brass", "trumpet"), Instrument("a tuba", "brass", "tuba"),
    Instrument("a violin", "bowed string", "violin"), Instrument("a xylophone", "wood", "xylophone"),
)
"""The instruments of MUSIC but the erhu. A harmonium plays the accordion, both being free reeds. Three pairs share a class
of the embedded model (cello and violin, clarinet and saxophone, trumpet and tuba)."""


def instrument_mixtures(held_out: HeldOut, seed: int, *, instruments: Sequence[Instrument] = BY_CLASS,
                        per_pair: int = PER_PAIR, seconds: float = 5.0, sample_rate: int = 32000) -> list[Mixture]:
    """Every pair of instruments `per_pair` times: 45 x 4 = 180 mixtures by default, mono, peak 0.5.

    The first 45 hold every pair once, and so on. A mixture depends on seed, pair and turn alone, not on how many are made.

    Raises:
        InvalidOption: the held-out sounds lack an instrument.
    """
    notes = {played.label: _notes(held_out, played, sample_rate) for played in instruments}
    n_samples = round(seconds * sample_rate)
    made = []
    for turn in range(per_pair):
        for pair in combinations(range(len(instruments)), 2):
            both = [instruments[k] for k in pair]
            stems = {played.label: phrase(notes[played.label], n_samples, sample_rate, (seed, 81, turn, *pair, place))
                     for place, played in enumerate(both)}
            made.append(mixed(stems, sample_rate, f"{' + '.join(stems)} {turn + 1}",
                              {played.label: played.class_name for played in both}))
    return made


def event_mixtures(held_out: HeldOut, seed: int, count: int = 90, *, seconds: float = 5.0, sample_rate: int = 32000,
                   classes: Sequence[str] | None = None) -> list[Mixture]:
    """`count` mixtures of two recordings of different classes, drawn without preference for a class; mono, peak 0.5.

    A recording that is shorter is heard again, a longer one cut. Labels are the vocabulary's example prompts. Some
    recordings have a narrow band (11 kHz sample rate): half of a mixture may then lack the highs.

    Raises:
        InvalidOption: fewer than two classes have recordings.
    """
    return [event_mixture(sounds, seconds=seconds, sample_rate=sample_rate, name=f"{number}: ")
            for number, sounds in enumerate(event_sounds(held_out, seed, count, classes=classes), 1)]


def event_sounds(held_out: HeldOut, seed: int, count: int, *, classes: Sequence[str] | None = None) -> list[list[Sound]]:
    """The two recordings of each of `count` event mixtures. Raises InvalidOption as `event_mixtures`."""
    known = [name for name in held_out.classes() if classes is None or name in classes]
    if len(known) < 2:
        raise InvalidOption(f"The held-out sounds have {len(known)} of the classes asked for; a mixture needs two.")
    rng = np.random.default_rng([seed, 82])
    made = []
    for _ in range(count):
        names = [known[k] for k in rng.choice(len(known), 2, replace=False)]
        made.append([held_out.of(name)[int(rng.integers(len(held_out.of(name))))] for name in names])
    return made


def event_mixture(sounds: Sequence[Sound], *, seconds: float, sample_rate: int, name: str = "") -> Mixture:
    """The mixture of recordings of different classes, each by the example prompt of its class; `name` begins its name."""
    stems = {prompt_of(sound.class_name): _whole(sound, seconds, sample_rate) for sound in sounds}
    return mixed(stems, sample_rate, name + " + ".join(sound.path.name for sound in sounds),
                 {prompt_of(sound.class_name): sound.class_name for sound in sounds})


def phrase(notes: Sequence[np.ndarray], n_samples: int, sample_rate: int, key: Sequence[int]) -> np.ndarray:
    """A phrase [1, n_samples] of notes [time] one after the other, each at RMS 0.1 and faded out; by `key` alone."""
    rng = np.random.default_rng(key)
    made, at = np.zeros(n_samples), 0
    order: list[int] = []
    while at < n_samples:
        order = order or rng.permutation(len(notes)).tolist()
        length = round(rng.uniform(*NOTE_S) * sample_rate)
        note = fade(Clip(notes[order.pop()][None, :length], sample_rate), out_s=0.03).samples[0]
        note = note[:n_samples - at]
        made[at:at + len(note)] += note * (_LEVEL / (np.sqrt(np.mean(note.astype(np.float64) ** 2)) + 1e-9))
        at += len(note) + round(rng.uniform(0.0, 0.12) * sample_rate)
    return made[None]


def _notes(held_out: HeldOut, played: Instrument, sample_rate: int) -> list[np.ndarray]:
    """The beginnings of an instrument's recordings, but of those with a narrower band: it would tell them apart."""
    sounds = [sound for sound in held_out.of(played.class_name)
              if played.source in sound.source and sound.rate >= sample_rate]
    if not sounds:
        raise InvalidOption(f"The held-out sounds have no {played.class_name} of {sample_rate} Hz or more from a source "
                            f"like {played.source!r} for {played.label!r}. Fetch them with "
                            "`python -m server.measure.fetch DIR`.")
    longest = round(NOTE_S[1] * sample_rate)
    return [sound.clip(sample_rate).samples[0, :longest] for sound in sounds]


def _whole(sound: Sound, seconds: float, sample_rate: int) -> np.ndarray:
    samples = filled(sound.clip(sample_rate).samples[0], round(seconds * sample_rate), sample_rate)
    return samples[None].astype(np.float64)
