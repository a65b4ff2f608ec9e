"""Instrument phrases from a General MIDI soundfont under a free licence (FluidR3, MIT), rendered by FluidSynth."""

from pathlib import Path

import numpy as np

from .format import SAMPLE_RATE
from .tones import SCALES
from .vocabulary import NAMES

# class: (program, bank, lowest key, highest key, own phrases)
PROGRAMS: tuple[tuple[str, int, int, int, int, tuple[str, ...]], ...] = (
    ("plucked string", 24, 0, 40, 76, ("guitar pluck", "plucked guitar", "a nylon guitar")),
    ("plucked string", 25, 0, 40, 76, ("plucked guitar", "a steel guitar")),
    ("plucked string", 46, 0, 36, 88, ("harp notes", "a harp")),
    ("plucked string", 45, 0, 40, 80, ("pizzicato", "pizzicato strings")),
    ("plucked string", 107, 0, 45, 75, ("koto",)), ("plucked string", 104, 0, 45, 72, ("sitar",)),
    ("bowed string", 40, 0, 56, 88, ("violin",)), ("bowed string", 42, 0, 36, 67, ("cello",)),
    ("bowed string", 41, 0, 48, 76, ("viola note", "viola")), ("bowed string", 43, 0, 28, 52, ("double bass, bowed",)),
    ("bowed string", 48, 0, 36, 84, ("string section", "sustained strings")),
    ("bowed string", 49, 0, 36, 84, ("slow strings", "sustained strings")),
    ("bowed string", 44, 0, 40, 80, ("tremolo strings",)),
    ("flute", 73, 0, 60, 93, ("a flute", "flute tones")), ("flute", 75, 0, 60, 88, ("pan pipes",)),
    ("flute", 77, 0, 55, 84, ("shakuhachi",)), ("flute", 74, 0, 60, 88, ("a recorder", "flute tones")),
    ("choir", 52, 0, 43, 79, ("a choir", "choir singing aah")), ("choir", 53, 0, 43, 79, ("voices", "vocal vowels ooh")),
    ("bell", 14, 0, 55, 84, ("tubular bell", "church bell")), ("bell", 9, 0, 72, 96, ("bells", "glockenspiel")),
    ("bell", 10, 0, 60, 90, ("music box", "small bells")), ("bell", 112, 0, 60, 84, ("a small bell", "bell chimes")),
    ("wood", 12, 0, 48, 84, ("marimba",)), ("wood", 13, 0, 60, 96, ("xylophone",)),
    ("wood", 115, 0, 55, 84, ("wood block",)),
    ("drum", 47, 0, 36, 57, ("timpani", "kettle drum")), ("drum", 116, 0, 40, 64, ("taiko", "taiko drum")),
    ("drum", 117, 0, 40, 70, ("tom drum", "drums")), ("drum", 0, 128, 35, 50, ("drum hits", "drums", "drum kit")),
    ("cymbal", 0, 128, 42, 59, ("cymbal crash", "hi-hat", "cymbals")),
    ("piano", 0, 0, 30, 96, ("a piano", "piano notes", "grand piano")), ("piano", 4, 0, 36, 84, ("electric piano",)),
    ("brass", 56, 0, 54, 82, ("trumpet",)), ("brass", 60, 0, 41, 72, ("french horn", "a horn")),
    ("brass", 57, 0, 40, 70, ("trombone",)), ("brass", 58, 0, 28, 55, ("tuba",)),
    ("brass", 61, 0, 40, 79, ("brass section",)),
    ("organ", 19, 0, 36, 84, ("pipe organ", "an organ")), ("organ", 20, 0, 40, 79, ("harmonium",)),
    ("organ", 21, 0, 45, 84, ("accordion",)), ("organ", 16, 0, 40, 84, ("an organ", "organ chord")),
    ("struck metal", 11, 0, 53, 84, ("vibraphone", "a metal bar hit")),
)
CYMBAL_KEYS, DRUM_KEYS = (42, 46, 49, 51, 52, 55, 57, 59), (35, 36, 38, 40, 41, 43, 45, 47, 48, 50)


def _phrase(synth, rng: np.random.Generator, low: int, high: int, keys: tuple[int, ...] | None) -> np.ndarray:
    """About five seconds of random notes on channel 0."""
    count = int(rng.choice([1, 1, 2, 3, 5, 8]))
    chord = rng.random() < 0.3 and keys is None
    scale = SCALES[rng.integers(len(SCALES))]
    root = int(rng.integers(low, max(low + 1, high - 11)))
    parts = []
    for _ in range(count):
        notes = [int(rng.choice(keys))] if keys else [root + int(s) for s in rng.choice(scale, 3 if chord else 1, False)]
        for key in notes:
            synth.noteon(0, min(key, high), int(rng.integers(55, 125)))
        parts.append(synth.get_samples(int(SAMPLE_RATE * 4.2 / count * rng.uniform(0.5, 0.95))))
        for key in notes:
            synth.noteoff(0, min(key, high))
        parts.append(synth.get_samples(int(SAMPLE_RATE * 4.2 / count * 0.2)))
    parts.append(synth.get_samples(int(0.6 * SAMPLE_RATE)))
    synth.all_sounds_off(0)
    synth.get_samples(2000)
    return np.concatenate(parts).reshape(-1, 2).mean(axis=1).astype(np.float32)


def render(soundfont: Path, per_program: int, seed: int) -> tuple[list[np.ndarray], list[dict]]:
    """Random phrases of every program as takes with their entries; needs the package `pyfluidsynth`."""
    import fluidsynth

    synth = fluidsynth.Synth(samplerate=float(SAMPLE_RATE), gain=0.5)
    bank_id = synth.sfload(str(soundfont))
    takes, entries = [], []
    for index, (name, program, bank, low, high, phrases) in enumerate(PROGRAMS):
        synth.program_select(0, bank_id, bank, program)
        keys = (CYMBAL_KEYS if name == "cymbal" else DRUM_KEYS) if bank == 128 else None
        for number in range(per_program):
            take = _phrase(synth, np.random.default_rng([seed, index, number]), low, high, keys)
            if np.abs(take).max() < 1:
                continue
            takes.append(take / np.abs(take).max())
            entries.append({
                "class": NAMES.index(name), "phrases": phrases, "kind": "soundfont", "words": (),
                "source": f"soundfont-{bank}-{program}-{number}", "file": f"{soundfont.name}:{bank}:{program}",
                "title": f"FluidR3 GM {bank}:{program}", "author": "Frank Wen", "licence": "MIT",
                "address": "https://packages.debian.org/fluid-soundfont-gm",
            })
    synth.delete()
    return takes, entries
