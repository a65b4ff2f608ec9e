"""Synthetic sounds of held or plucked pitch: strings, winds, voices, organs, synthesizers.

Each function returns one take `[n]` and the adjectives (keys of `vocabulary.ADJECTIVES`) that are true of it.
"""

import numpy as np

from .synthesis import (
    Array,
    Rng,
    Synth,
    Take,
    coloured_noise,
    harmonic,
    length_words,
    log_uniform,
    lowpass,
    melody,
    modes,
    moving_noise,
    note_envelope,
    place,
    size_words,
    slow_curve,
    spectral_shape,
    swell,
    vibrato,
)

VOWELS = {  # formant centres in Hz
    "a": (800, 1150, 2900, 3900), "e": (400, 1700, 2600, 3500), "i": (280, 2200, 2900, 3600),
    "o": (450, 800, 2830, 3500), "u": (325, 700, 2530, 3500),
}


def _partials(f0: float, top_hz: float, most: int) -> Array:
    """Numbers of the partials of a tone up to `top_hz`, at most `most` of them."""
    return np.arange(1, int(np.clip(top_hz / f0, 4, most)) + 1)


def plucked_string(rng: Rng, n: int, sr: int) -> Take:
    root, t60, bright = log_uniform(rng, 60, 600), log_uniform(rng, 0.3, 6), rng.uniform(0, 1)
    out = np.zeros(n, np.float32)
    position, stiffness = rng.uniform(0.05, 0.45), log_uniform(rng, 1e-7, 2e-4)
    damping, body = log_uniform(rng, 0.004, 0.05), log_uniform(rng, 120, 3500, 5)
    for start, _, f0 in melody(rng, n, sr, root, 1, 18):
        k = _partials(f0, 14500, 90)
        force = rng.uniform(0.4, 1)
        level = np.abs(np.sin(np.pi * k * position)) / k ** (1.7 - 0.9 * bright - 0.3 * force)
        sound = modes(f0 * k * np.sqrt(1 + stiffness * k**2), level, t60 / (1 + damping * k**1.4), n - start, sr, rng)
        if len(sound) == 0:
            continue
        place(out, sound / (np.abs(sound).max() + 1e-9), start, force)
        pick = coloured_noise(rng, int(0.02 * sr), sr, 300, 6000 + 9000 * bright)
        pick *= np.exp(-np.arange(len(pick)) / (log_uniform(rng, 0.0006, 0.004) * sr))
        place(out, pick / np.abs(pick).max(), start, force * rng.uniform(0.05, 0.5))
    out += 0.5 * spectral_shape(out, sr, body, body * 0.3, rng.uniform(0.2, 1, 5))
    return out, size_words(root, 110, 280) + length_words(t60, 0.8, 2.8) + (("bright",) if bright > 0.8 else ())


def bowed_string(rng: Rng, n: int, sr: int) -> Take:
    root, voices = log_uniform(rng, 55, 600), int(rng.choice([1, 1, 2, 3]))
    body = log_uniform(rng, 250, 5000, 6)
    slope, attack, out = rng.uniform(0.7, 1.4), log_uniform(rng, 0.03, 0.8), np.zeros(n, np.float32)
    for _ in range(voices):
        for start, length, f0 in melody(rng, n, sr, root, 1, 5):
            pitch = f0 * vibrato(rng, length, sr, rng.uniform(0, 0.008))
            tone = harmonic(pitch, _partials(f0, 13000, 80) ** -slope, sr, rng.uniform(0, 6))
            bow = coloured_noise(rng, length, sr, f0, 9000) * slow_curve(rng, length, 12, 0.3, 1) * rng.uniform(0.02, 0.1)
            place(out, (tone + bow) * note_envelope(length, sr, attack, rng.uniform(0.05, 0.4)), start)
    out = out * 0.3 + spectral_shape(out, sr, body, body * 0.25, rng.uniform(0.3, 1.5, 6))
    return out, size_words(root, 100, 300) + (("slow",) if attack > 0.4 else ())


def flute(rng: Rng, n: int, sr: int) -> Take:
    root, air, out = log_uniform(rng, 220, 1300), rng.uniform(0.03, 0.7), np.zeros(n, np.float32)
    shape = np.array([1, rng.uniform(0.15, 0.9), rng.uniform(0.05, 0.5), rng.uniform(0.03, 0.25), 0.06, 0.04, 0.02])
    overblown, chiff = rng.random() < 0.15, rng.uniform(0, 1)
    for start, length, f0 in melody(rng, n, sr, root, 1, 9):
        if overblown:
            f0 *= rng.choice([1, 2, 3])
        wobble = vibrato(rng, length, sr, rng.uniform(0, 0.012))
        pitch = f0 * wobble * (1 - 0.03 * np.exp(-np.arange(length) / 0.04 / sr))
        tone = harmonic(pitch, shape * rng.uniform(0.7, 1.3, 7), sr) * (1 + 8 * (wobble - 1))
        breath = moving_noise(rng, length, sr, pitch * rng.choice([1, 2]), rng.uniform(0.2, 0.8), 0.02)
        hiss = coloured_noise(rng, length, sr, 1500, 12000, -2) * rng.uniform(0.1, 0.5)
        onset = 1 + 4 * chiff * np.exp(-np.arange(length) / (0.025 * sr))
        note = tone * note_envelope(length, sr, rng.uniform(0.015, 0.09), 0.07)
        wind = (breath + hiss) * onset * note_envelope(length, sr, 0.004, 0.09) * 0.4 * air
        place(out, note + wind, start, rng.uniform(0.7, 1))
    return out, size_words(root, 330, 750) + (("rough",) if air > 0.5 else ("smooth",) if air < 0.12 else ())


def choir(rng: Rng, n: int, sr: int) -> Take:
    root = log_uniform(rng, 80, 420)
    female = root > 180
    chord = rng.choice([0, 3, 4, 5, 7, 9, 12], int(rng.integers(1, 5)), replace=False)
    size = 1.15 if female else 1.0
    singers, out = int(rng.integers(1, 4)), np.zeros(n, np.float32)
    names = rng.choice(list(VOWELS), 2)
    for step in chord:
        for _ in range(singers):
            pitch = root * 2 ** (step / 12) * (1 + rng.normal(0, 0.004)) * vibrato(rng, n, sr, rng.uniform(0.002, 0.012))
            out += harmonic(pitch, _partials(root, 9000, 60) ** -rng.uniform(0.8, 1.3), sr, rng.uniform(0, 6))
    out += coloured_noise(rng, n, sr, 500, 12000) * rng.uniform(0.01, 0.06) * out.std()
    first, second = (spectral_shape(out, sr, np.array((*VOWELS[v], 4900)) * size, (110, 130, 200, 300, 900),
                                    (1, 0.6, 0.3, 0.15, 0.08)) for v in names)
    morph = slow_curve(rng, n, int(rng.integers(1, 6)))
    attack = rng.uniform(0.03, 0.5)
    out = (first * (1 - morph) + second * morph) * swell(n, attack, rng.uniform(0.1, 0.4), 1)
    return out, (("high",) if female else ("low",)) + (("swelling",) if attack > 0.35 else ())


def synth_tone(rng: Rng, n: int, sr: int) -> Take:
    root, kind, out = log_uniform(rng, 45, 900), int(rng.integers(3)), np.zeros(n, np.float32)
    for start, length, f0 in melody(rng, n, sr, root, 1, 16):
        t = np.arange(length) / sr
        if kind == 0:
            index = rng.uniform(0.5, 7) * np.exp(-t / rng.uniform(0.1, 2))
            ratio = rng.choice([0.5, 1, 1.41, 2, 3, 3.5])
            tone = np.sin(2 * np.pi * f0 * t + index * np.sin(2 * np.pi * ratio * f0 * t)).astype(np.float32)
        elif kind == 1:
            tone = harmonic(np.full(length, f0), 1 / _partials(f0, 14500, 120), sr)
            tone = lowpass(tone, sr, f0 * log_uniform(rng, 1.5, 40), 2)
        else:
            glide = f0 * 2 ** (rng.uniform(-1.5, 1.5) * t / (length / sr))
            k = _partials(f0, 14500, 80)
            tone = harmonic(glide, np.where(k % 2, 1 / k, 0), sr)
        place(out, tone * note_envelope(length, sr, log_uniform(rng, 0.001, 0.1), log_uniform(rng, 0.02, 0.5)), start)
    return out, size_words(root, 90, 400)


def organ(rng: Rng, n: int, sr: int) -> Take:
    root, out = log_uniform(rng, 65, 350), np.zeros(n, np.float32)
    reeds = rng.random() < 0.4  # an accordion: pairs of reeds that beat
    drawbars = rng.uniform(0, 1, 24) ** 2 / np.arange(1, 25) ** 0.4
    for step in rng.choice([0, 3, 4, 7, 10, 12, 16, 19], int(rng.integers(1, 5)), replace=False):
        for start, length, f0 in melody(rng, n, sr, root, 1, 3):
            f0 *= 2 ** (step / 12)
            level = _partials(f0, 11000, 50) ** -rng.uniform(0.6, 1.1) if reeds else drawbars
            for beat in (1, 1 + rng.uniform(0.001, 0.006)) if reeds else (1,):
                pitch = np.full(length, f0 * beat * (1 + rng.normal(0, 0.001)))
                place(out, harmonic(pitch, level, sr, rng.uniform(0, 6)) * note_envelope(length, sr, 0.03, 0.1), start)
    wind = coloured_noise(rng, n, sr, 200, 8000, -3)
    return out + wind * out.std() * rng.uniform(0, 0.03), size_words(root, 100, 240)


TONES: dict[str, Synth] = {
    "plucked string": plucked_string, "bowed string": bowed_string, "flute": flute, "choir": choir,
    "synth tone": synth_tone, "organ": organ,
}
