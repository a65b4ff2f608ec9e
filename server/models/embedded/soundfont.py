"""Instrument phrases from General MIDI soundfonts under free licences, rendered by FluidSynth.

Needs Debian's libfluidsynth3 2.3.1 and the package pyfluidsynth 1.4.0. The soundfonts are those of Debian's packages
musescore-general-soundfont-lossless 0.2.1-1 (MuseScore_General_Full.sf2) and fluid-soundfont-gm 3.1-5.3 (FluidR3_GM.sf2).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from server.errors import InvalidOption

from . import held_out
from .format import SAMPLE_RATE
from .synthesis import SCALES
from .vocabulary import NAMES

# class, bank, program, lowest key, highest key, own phrases
PROGRAMS: tuple[tuple[str, int, int, int, int, tuple[str, ...]], ...] = (
    ("guitar", 0, 24, 40, 76, ("nylon guitar", "acoustic guitar", "a classical guitar")),
    ("guitar", 0, 25, 40, 76, ("steel guitar", "acoustic guitar")),
    ("guitar", 8, 25, 40, 76, ("twelve string guitar", "acoustic guitar")),
    ("guitar", 0, 26, 40, 76, ("jazz guitar", "electric guitar")),
    ("guitar", 0, 27, 40, 76, ("electric guitar", "clean electric guitar")),
    ("guitar", 0, 28, 40, 72, ("muted electric guitar",)),
    ("guitar", 0, 29, 40, 76, ("overdriven guitar", "distorted electric guitar")),
    ("guitar", 0, 30, 40, 76, ("distortion guitar", "distorted electric guitar")),
    ("plucked string", 0, 46, 36, 96, ("harp", "a harp", "harp notes")),
    ("plucked string", 0, 45, 40, 84, ("pizzicato", "pizzicato strings")),
    ("plucked string", 0, 107, 45, 79, ("koto",)),
    ("plucked string", 0, 104, 45, 72, ("sitar",)),
    ("plucked string", 0, 105, 48, 79, ("banjo", "a banjo")),
    ("plucked string", 16, 25, 55, 88, ("mandolin", "a mandolin")),
    ("plucked string", 8, 24, 60, 84, ("ukulele", "a ukulele")),
    ("plucked string", 0, 15, 50, 84, ("hammered dulcimer", "zither")),
    ("plucked string", 0, 106, 50, 79, ("shamisen",)),
    ("plucked string", 0, 6, 36, 88, ("harpsichord",)),
    ("bowed string", 0, 40, 56, 93, ("violin", "a violin")),
    ("bowed string", 0, 42, 36, 72, ("cello", "a cello")),
    ("bowed string", 0, 41, 48, 79, ("viola note", "viola")),
    ("bowed string", 0, 43, 28, 55, ("double bass, bowed",)),
    ("bowed string", 8, 40, 56, 93, ("violin", "slow violin")),
    ("bowed string", 0, 110, 56, 88, ("fiddle",)),
    ("bowed string", 0, 48, 36, 84, ("string section", "sustained strings")),
    ("bowed string", 0, 49, 36, 84, ("slow strings", "sustained strings")),
    ("bowed string", 0, 44, 40, 80, ("tremolo strings",)),
    ("flute", 0, 73, 60, 96, ("a flute", "flute tones", "flute")),
    ("flute", 0, 72, 74, 101, ("piccolo", "piccolo flute")),
    ("flute", 0, 75, 60, 88, ("pan pipes", "pan flute")),
    ("flute", 0, 77, 55, 84, ("shakuhachi",)),
    ("flute", 0, 74, 60, 88, ("a recorder", "flute tones")),
    ("flute", 0, 79, 60, 84, ("ocarina",)),
    ("reed", 0, 71, 50, 88, ("clarinet", "a clarinet")),
    ("reed", 0, 64, 56, 87, ("soprano saxophone", "saxophone")),
    ("reed", 0, 65, 49, 80, ("alto saxophone", "saxophone")),
    ("reed", 0, 66, 44, 75, ("tenor saxophone", "saxophone")),
    ("reed", 0, 67, 37, 68, ("baritone saxophone", "saxophone")),
    ("reed", 0, 68, 58, 88, ("oboe", "an oboe")),
    ("reed", 0, 69, 52, 80, ("english horn", "cor anglais")),
    ("reed", 0, 70, 34, 67, ("bassoon", "a bassoon")),
    ("brass", 0, 56, 54, 84, ("trumpet", "a trumpet")),
    ("brass", 0, 59, 54, 80, ("muted trumpet",)),
    ("brass", 0, 60, 41, 74, ("french horn", "a horn")),
    ("brass", 0, 57, 40, 72, ("trombone", "a trombone")),
    ("brass", 0, 58, 28, 57, ("tuba", "a tuba")),
    ("brass", 0, 61, 40, 79, ("brass section", "brass")),
    ("choir", 0, 52, 43, 79, ("a choir", "choir singing aah", "choir")),
    ("choir", 0, 53, 43, 79, ("voices", "vocal vowels ooh")),
    ("bell", 0, 14, 55, 84, ("tubular bell", "tubular bells")),
    ("bell", 8, 14, 48, 79, ("church bell", "church bell tolling")),
    ("bell", 0, 9, 72, 100, ("glockenspiel", "bells")),
    ("bell", 0, 8, 60, 96, ("celesta", "small bells")),
    ("bell", 0, 10, 60, 90, ("music box", "small bells")),
    ("bell", 0, 112, 60, 84, ("a small bell", "bell chimes")),
    ("wood", 0, 12, 45, 88, ("marimba", "a marimba")),
    ("wood", 0, 13, 60, 96, ("xylophone", "a xylophone")),
    ("wood", 0, 115, 55, 84, ("wood block",)),
    ("drum", 0, 47, 36, 57, ("timpani", "kettle drum")),
    ("drum", 0, 116, 40, 64, ("taiko", "taiko drum")),
    ("drum", 0, 117, 40, 70, ("tom drum", "drums")),
    ("drum", 128, 0, 35, 50, ("drum hits", "drums", "drum kit")),
    ("drum", 128, 8, 35, 50, ("drum hits", "drums", "room drum kit")),
    ("drum", 128, 40, 35, 50, ("brushed drums", "drums")),
    ("cymbal", 128, 0, 42, 59, ("cymbal crash", "hi-hat", "cymbals")),
    ("cymbal", 128, 8, 42, 59, ("cymbal crash", "hi-hat")),
    ("piano", 0, 0, 28, 100, ("a piano", "piano notes", "grand piano", "a grand piano", "piano")),
    ("piano", 0, 1, 28, 100, ("bright piano", "piano notes", "a piano")),
    ("piano", 0, 3, 36, 90, ("honky tonk piano", "a piano")),
    ("piano", 0, 4, 36, 84, ("electric piano",)),
    ("organ", 0, 19, 36, 88, ("pipe organ", "an organ", "church organ")),
    ("organ", 0, 20, 40, 79, ("harmonium", "reed organ")),
    ("organ", 0, 21, 45, 84, ("accordion", "an accordion")),
    ("organ", 8, 21, 45, 84, ("accordion", "italian accordion")),
    ("organ", 0, 16, 40, 84, ("an organ", "organ chord", "hammond organ")),
    ("struck metal", 0, 11, 53, 84, ("vibraphone", "a metal bar hit")),
)
CYMBAL_KEYS, DRUM_KEYS = (42, 46, 49, 51, 52, 55, 57, 59), (35, 36, 38, 40, 41, 43, 45, 47, 48, 50)



@dataclass(frozen=True)
class Font:
    """Credits of a soundfont, known by its file name."""

    title: str
    author: str
    licence: str
    address: str


FONTS = {
    "FluidR3_GM.sf2": Font("FluidR3 GM", "Frank Wen", "MIT", "https://packages.debian.org/fluid-soundfont-gm"),
    "MuseScore_General_Full.sf2": Font(
        "MuseScore General", "S. Christian Collins and contributors, after FluidR3 by Frank Wen", "MIT",
        "https://packages.debian.org/musescore-general-soundfont-lossless"),
}


def _rhythm(rng: np.random.Generator) -> np.ndarray:
    """Note lengths in seconds that sum to 4.6: even, or long and short mixed."""
    count = int(rng.choice([1, 1, 2, 3, 4, 6, 9, 14]))
    parts = np.ones(count) if rng.random() < 0.5 else rng.choice([0.5, 1, 1, 2], count)
    return parts * 4.6 / parts.sum()


def _phrase(synth, rng: np.random.Generator, low: int, high: int, keys: tuple[int, ...] | None) -> np.ndarray:
    """About five and a half seconds of random notes on channel 0."""
    chord = rng.random() < 0.3 and keys is None
    scale = SCALES[rng.integers(len(SCALES))]
    root = int(rng.integers(low, max(low + 1, high - 11)))
    force, legato = rng.uniform(50, 112), rng.uniform(0.4, 0.98)
    parts = []
    for length_s in _rhythm(rng):
        notes = [int(rng.choice(keys))] if keys else [root + int(s) for s in rng.choice(scale, 3 if chord else 1, False)]
        for key in notes:
            synth.noteon(0, min(key, high), int(np.clip(force + rng.normal(0, 10), 20, 127)))
        parts.append(synth.get_samples(int(SAMPLE_RATE * length_s * legato)))
        for key in notes:
            synth.noteoff(0, min(key, high))
        parts.append(synth.get_samples(int(SAMPLE_RATE * length_s * (1 - legato))))
    parts.append(synth.get_samples(int(0.9 * SAMPLE_RATE)))
    synth.all_sounds_off(0)
    synth.get_samples(2000)
    return np.concatenate(parts).reshape(-1, 2).mean(axis=1).astype(np.float32)


def render(soundfont: Path, per_program: int, seed: int) -> tuple[list[np.ndarray], list[dict]]:
    """Random phrases of every program that the soundfont has, as takes with their entries; needs `pyfluidsynth`.

    One program of one font is one source; `family` is the program, so that a split can keep one font of each for
    training. Raises `InvalidOption` for a soundfont whose licence is not known here, or that is held out.
    """
    import fluidsynth

    font = FONTS.get(soundfont.name)
    if font is None:
        raise InvalidOption(f"The licence of {soundfont.name} is not known here; known: {', '.join(FONTS)}. "
                            "Add it to FONTS in soundfont.py with its credits.")
    held_out.refuse(soundfont, held_out.load())
    synth = fluidsynth.Synth(samplerate=float(SAMPLE_RATE), gain=0.5)
    bank_id = synth.sfload(str(soundfont))
    synth.set_reverb(0.2, 0.5, 0.5, 0.1)
    takes, entries = [], []
    for index, (name, bank, program, low, high, phrases) in enumerate(PROGRAMS):
        if synth.sfpreset_name(bank_id, bank, program) is None:
            continue
        synth.program_select(0, bank_id, bank, program)
        keys = (CYMBAL_KEYS if name == "cymbal" else DRUM_KEYS) if bank == 128 else None
        for number in range(per_program):
            key = [seed, list(FONTS).index(soundfont.name), index, number]
            take = _phrase(synth, np.random.default_rng(key), low, high, keys)
            if np.abs(take).max() < 1:
                continue
            takes.append(take / np.abs(take).max())
            entries.append({
                "class": NAMES.index(name), "phrases": phrases, "kind": "soundfont", "words": (),
                "source": f"{soundfont.stem}-{bank}-{program}", "family": f"{name}-{bank}-{program}",
                "file": f"{soundfont.name}:{bank}:{program}", "title": f"{font.title} {bank}:{program}",
                "author": font.author, "licence": font.licence, "address": font.address,
            })
    synth.delete()
    return takes, entries
