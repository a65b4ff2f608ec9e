"""Synthetic sounds with pitch or modes: metal, bells, glass, strings, winds, voices, drones, drums, grains.

Each function returns one take `[n]` and the adjectives (keys of `vocabulary.ADJECTIVES`) that are true of it.
"""

from collections.abc import Callable

import numpy as np

from .synthesis import (
    Array,
    Rng,
    coloured_noise,
    harmonic,
    log_uniform,
    lowpass,
    modes,
    moving_noise,
    note_envelope,
    onsets,
    place,
    slow_curve,
    spectral_shape,
    swell,
    vibrato,
)

Take = tuple[Array, tuple[str, ...]]
SCALES = ((0, 2, 4, 7, 9, 12), (0, 3, 5, 7, 10, 12), (0, 2, 3, 7, 8, 12), (0, 4, 7, 11, 12), (0, 1, 5, 7, 10, 12))
VOWELS = {  # formant centres in Hz
    "a": (800, 1150, 2900, 3900), "e": (400, 1700, 2600, 3500), "i": (280, 2200, 2900, 3600),
    "o": (450, 800, 2830, 3500), "u": (325, 700, 2530, 3500),
}


def _size_words(frequency_hz: float, low_hz: float, high_hz: float) -> tuple[str, ...]:
    return ("low",) if frequency_hz < low_hz else ("high",) if frequency_hz > high_hz else ()


def _length_words(t60_s: float, short_s: float, long_s: float) -> tuple[str, ...]:
    return ("short",) if t60_s < short_s else ("long",) if t60_s > long_s else ()


def _struck(rng: Rng, n: int, sr: int, ratios: Array, f0: float, t60_s: float, brightness: float,
            click: float, least: int, most: int, damping: float = 0.7) -> Array:
    """Several strokes on one object; stroke strength and place change from stroke to stroke."""
    out = np.zeros(n, np.float32)
    frequency = f0 * ratios
    decay = t60_s * (frequency / frequency[0]) ** -damping * log_uniform(rng, 0.6, 1.6, len(ratios))
    for start in onsets(rng, n, sr, least, most):
        level = rng.uniform(0.2, 1, len(ratios)) * (frequency / frequency[0]) ** (-1.2 + 1.2 * brightness)
        sound = modes(frequency, level, decay, n - start, sr, rng) * rng.uniform(0.4, 1)
        rise = min(len(sound), int(sr * rng.uniform(0.0003, 0.003)))
        sound[:rise] *= np.linspace(0, 1, rise)
        place(out, sound, start)
        burst = coloured_noise(rng, int(0.02 * sr) + 8, sr, frequency[0], min(8 * f0 + 2000, 0.45 * sr))
        place(out, burst * np.exp(-np.arange(len(burst)) / (0.004 * sr)), start, click * np.abs(sound).max())
    return out


def _metal_ratios(rng: Rng, count: int) -> Array:
    kind = rng.integers(3)
    if kind == 0:  # free bar
        base = ((2 * np.arange(1, count + 1) + 1) / 3.011) ** 2
    elif kind == 1:  # rectangular plate
        m, k = np.meshgrid(np.arange(1, 9), np.arange(1, 9))
        base = np.sort((m**2 + rng.uniform(0.4, 2.5) * k**2).ravel())[:count]
        base = base / base[0]
    else:  # gong or irregular body
        base = np.cumsum(log_uniform(rng, 0.08, 0.7, count)) + 1
    return base * (1 + rng.normal(0, 0.012, len(base)))


def struck_metal(rng: Rng, n: int, sr: int) -> Take:
    f0, t60, bright = log_uniform(rng, 70, 900), log_uniform(rng, 0.4, 9), rng.uniform(0.2, 1)
    ratios = _metal_ratios(rng, int(rng.integers(12, 40)))
    sound = _struck(rng, n, sr, ratios, f0, t60, bright, rng.uniform(0, 0.5), 1, 5, rng.uniform(0.2, 0.8))
    words = _size_words(f0, 140, 450) + _length_words(t60, 0.9, 4)
    return sound, words + (("bright",) if bright > 0.75 else ("dark",) if bright < 0.4 else ())


def bowed_metal(rng: Rng, n: int, sr: int) -> Take:
    f0, count = log_uniform(rng, 80, 900), int(rng.integers(8, 22))
    frequency = f0 * _metal_ratios(rng, count)
    bright, rough = rng.uniform(0, 1), rng.uniform(0, 1)
    t = np.arange(n) / sr
    out = np.zeros(n, np.float32)
    shiver = 1 + 0.3 * rough * slow_curve(rng, n, int(n / sr * 30), -1, 1)
    for k, f in enumerate(frequency):
        if f > 0.45 * sr:
            break
        weight = rng.uniform(0.1, 1) * (f / f0) ** (-1.1 + 0.9 * bright)
        envelope = slow_curve(rng, n, int(rng.integers(2, 9))) ** 2
        beat = 1 + 0.3 * np.sin(2 * np.pi * log_uniform(rng, 0.5, 12) * t + k)
        out += (weight * envelope * beat * np.sin(2 * np.pi * f * (1 + rng.normal(0, 2e-4)) * t + 7 * k)).astype(
            np.float32)
    friction = moving_noise(rng, n, sr, slow_curve(rng, n, 4, 2 * f0, min(9 * f0, 6000)), 1.2)
    attack = rng.uniform(0.1, 0.75)
    out = (out / (out.std() + 1e-9) * shiver + friction * rng.uniform(0.02, 0.3)) * swell(n, attack, 1.05 - attack)
    return out, (("swelling",) if attack > 0.5 else ()) + _size_words(f0, 150, 500) + (
        ("rough",) if rough > 0.8 else ("smooth",) if rough < 0.15 else ())


def bell(rng: Rng, n: int, sr: int) -> Take:
    ratios = np.array([0.5, 1, 1.19, 1.5, 2, 2.51, 2.66, 3.01, 4.17, 5.43, 6.8, 8.2])
    ratios = np.concatenate([ratios, ratios * (1 + rng.uniform(0.0005, 0.004))]) * (1 + rng.normal(0, 0.004, 24))
    ratios = np.sort(ratios)
    if rng.random() < 0.3:  # tubular
        ratios = ((2 * np.arange(2, 14) + 1) ** 2) / 81.0
    f0, t60 = log_uniform(rng, 110, 1500), log_uniform(rng, 1.5, 10)
    if rng.random() < 0.35:  # several bells
        out, base = np.zeros(n, np.float32), SCALES[rng.integers(len(SCALES))]
        for _ in range(int(rng.integers(2, 6))):
            out += _struck(rng, n, sr, ratios, f0 * 2 ** (rng.choice(base) / 12), t60, rng.uniform(0.2, 0.6), 0.1, 1, 3)
    else:
        out = _struck(rng, n, sr, ratios, f0, t60, rng.uniform(0.2, 0.7), rng.uniform(0, 0.3), 1, 4, 0.6)
    return out, _size_words(f0, 220, 800) + _length_words(t60, 2.2, 6)


def glass(rng: Rng, n: int, sr: int) -> Take:
    f0 = log_uniform(rng, 400, 3200)
    ratios = np.array([1, 2.32, 4.25, 6.63, 9.38, 12.2]) * (1 + rng.normal(0, 0.02, 6))
    t60, out = log_uniform(rng, 0.3, 5), np.zeros(n, np.float32)
    if rng.random() < 0.25:  # rubbed rim
        pitch = f0 * (1 + 0.002 * slow_curve(rng, n, 20, -1, 1))
        tone = harmonic(pitch, np.array([1, 0.12, 0.05, 0.02]), sr) * slow_curve(rng, n, 10, 0.6, 1)
        rub = moving_noise(rng, n, sr, pitch * 1.5, 0.5) * rng.uniform(0.01, 0.06)
        return (tone + rub) * swell(n, rng.uniform(0.1, 0.6), 0.3, 1), ("smooth", "long")
    base = SCALES[rng.integers(len(SCALES))]
    for _ in range(int(rng.integers(1, 8))):
        pitch = f0 * 2 ** (rng.choice(base) / 12)
        out += _struck(rng, n, sr, ratios, pitch, t60, rng.uniform(0.3, 0.8), rng.uniform(0.05, 0.5), 1, 3, 0.5)
    return out, _size_words(f0, 700, 1900) + _length_words(t60, 0.7, 2.5)


def _melody(rng: Rng, n: int, sr: int, root_hz: float, least: int, most: int):
    """Notes as (start, length, frequency_hz) along a random scale, overlapping a little."""
    scale = SCALES[rng.integers(len(SCALES))]
    starts = onsets(rng, n, sr, least, most, 0.7)
    stops = np.append(starts[1:], n)
    for start, stop in zip(starts, stops, strict=True):
        length = int((stop - start) * rng.uniform(0.7, 1.1))
        if length > 0.03 * sr:
            yield start, min(length, n - start), root_hz * 2 ** (rng.choice(scale) / 12)


def plucked_string(rng: Rng, n: int, sr: int) -> Take:
    root, t60, bright = log_uniform(rng, 60, 500), log_uniform(rng, 0.4, 5), rng.uniform(0, 1)
    out = np.zeros(n, np.float32)
    position, stiffness = rng.uniform(0.08, 0.45), log_uniform(rng, 1e-6, 4e-4)
    for start, _, f0 in _melody(rng, n, sr, root, 1, 14):
        k = np.arange(1, 50)
        level = np.abs(np.sin(np.pi * k * position)) / k ** (1.6 - bright)
        sound = modes(f0 * k * np.sqrt(1 + stiffness * k**2), level, t60 / (1 + 0.02 * k**1.3), n - start, sr, rng)
        place(out, sound, start, rng.uniform(0.5, 1))
        burst = coloured_noise(rng, int(0.03 * sr), sr, 200, 5000)
        place(out, burst * np.exp(-np.arange(len(burst)) / (0.004 * sr)), start, 0.2 * bright)
    return out, _size_words(root, 110, 280) + _length_words(t60, 0.8, 2.8) + (("bright",) if bright > 0.8 else ())


def bowed_string(rng: Rng, n: int, sr: int) -> Take:
    root, voices = log_uniform(rng, 55, 500), int(rng.choice([1, 1, 2, 3]))
    body = log_uniform(rng, 250, 4000, 6)
    slope, attack, out = rng.uniform(0.7, 1.4), log_uniform(rng, 0.04, 0.8), np.zeros(n, np.float32)
    for _ in range(voices):
        for start, length, f0 in _melody(rng, n, sr, root, 1, 5):
            pitch = f0 * vibrato(rng, length, sr, rng.uniform(0, 0.008))
            tone = harmonic(pitch, np.arange(1, 40) ** -slope, sr, rng.uniform(0, 6))
            bow = coloured_noise(rng, length, sr, f0, 5000) * rng.uniform(0.01, 0.06)
            place(out, (tone + bow) * note_envelope(length, sr, attack, rng.uniform(0.05, 0.4)), start)
    out = out * 0.3 + spectral_shape(out, sr, body, body * 0.25, rng.uniform(0.3, 1.5, 6))
    return out, _size_words(root, 100, 300) + (("slow",) if attack > 0.4 else ())


def flute(rng: Rng, n: int, sr: int) -> Take:
    root, air, out = log_uniform(rng, 220, 1100), rng.uniform(0.02, 0.6), np.zeros(n, np.float32)
    for start, length, f0 in _melody(rng, n, sr, root, 1, 8):
        pitch = f0 * vibrato(rng, length, sr, rng.uniform(0, 0.012)) * (1 - 0.02 * np.exp(-np.arange(length) / 0.05 / sr))
        level = np.array([1, rng.uniform(0.1, 0.6), rng.uniform(0.05, 0.4), 0.08, 0.04]) * rng.uniform(0.7, 1.3, 5)
        wind = moving_noise(rng, length, sr, pitch * rng.choice([1, 2]), rng.uniform(0.3, 1.2), 0.02)
        tone = harmonic(pitch, level, sr) + wind * air
        place(out, tone * note_envelope(length, sr, rng.uniform(0.02, 0.12), 0.08), start)
    return out, _size_words(root, 330, 750) + (("rough",) if air > 0.45 else ("smooth",) if air < 0.1 else ())


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
            out += harmonic(pitch, np.arange(1, 45) ** -rng.uniform(0.8, 1.3), sr, rng.uniform(0, 6))
    out += coloured_noise(rng, n, sr, 500, 6000) * rng.uniform(0.005, 0.05) * out.std()
    first, second = (spectral_shape(out, sr, np.array(VOWELS[v]) * size, (110, 130, 200, 300), (1, 0.6, 0.25, 0.12))
                     for v in names)
    morph = slow_curve(rng, n, int(rng.integers(1, 6)))
    attack = rng.uniform(0.03, 0.5)
    out = (first * (1 - morph) + second * morph) * swell(n, attack, rng.uniform(0.1, 0.4), 1)
    return out, (("high",) if female else ("low",)) + (("swelling",) if attack > 0.35 else ())


def drone(rng: Rng, n: int, sr: int) -> Take:
    f0, bright = log_uniform(rng, 32, 160), rng.uniform(0, 1)
    out = np.zeros(n, np.float32)
    for ratio in rng.choice([0.5, 1, 1, 1.5, 2, 3, 4, 1.498], int(rng.integers(3, 7))):
        pitch = f0 * ratio * (1 + rng.normal(0, 0.004)) * (1 + slow_curve(rng, n, 3, -0.003, 0.003))
        tone = harmonic(pitch, np.arange(1, 30) ** -(2.0 - 1.2 * bright), sr, rng.uniform(0, 6))
        out += tone * slow_curve(rng, n, int(rng.integers(2, 8)), 0.2, 1)
    air = moving_noise(rng, n, sr, slow_curve(rng, n, 3, 100, 300 + 2500 * bright), 0.8)
    out = out / out.std() + air * rng.uniform(0, 0.4)
    out = lowpass(out, sr, log_uniform(rng, 250, 900) * (1 + 8 * bright), 1)
    words = ("bright",) if bright > 0.7 else ("dark",) if bright < 0.35 else ()
    return out * swell(n, rng.uniform(0.01, 0.4), rng.uniform(0.01, 0.3), 1), words + _size_words(f0, 55, 110)


def _grain(rng: Rng, size: int, sr: int, kind: int, centre: float) -> Array:
    pitch = centre * 2 ** rng.normal(0, 0.5)
    t = np.arange(size) / sr
    if kind == 0:
        body = np.sin(2 * np.pi * min(pitch, 0.45 * sr) * t)
    elif kind == 1:
        body = np.sin(2 * np.pi * pitch * t + rng.uniform(1, 6) * np.sin(2 * np.pi * pitch * rng.uniform(0.5, 3.3) * t))
    elif kind == 2:
        body = modes(pitch * np.array([1, 2.76, 5.4, 8.9]), np.array([1, 0.6, 0.4, 0.2]), np.full(4, 0.2), size, sr, rng)
    else:
        body = coloured_noise(rng, size, sr, pitch * 0.6, pitch * 1.6)
    return (body * np.hanning(size) ** rng.uniform(0.6, 2)).astype(np.float32)


def granular_cloud(rng: Rng, n: int, sr: int) -> Take:
    density, centre, kind = log_uniform(rng, 8, 180), log_uniform(rng, 200, 3500), int(rng.integers(4))
    contour, glide = slow_curve(rng, n, int(rng.integers(2, 7)), 0.1, 1), slow_curve(rng, n, 3, -1, 1)
    longest, out = log_uniform(rng, 0.02, 0.16), np.zeros(n, np.float32)
    bank = [_grain(rng, max(32, int(longest * sr * rng.uniform(0.3, 1))), sr, kind, centre) for _ in range(24)]
    for start in np.sort(rng.integers(0, n, int(density * n / sr))):
        if rng.random() < contour[start]:
            grain = bank[int(np.clip((glide[start] * 0.5 + 0.5) * 12 + rng.integers(12), 0, 23))]
            place(out, grain, start, log_uniform(rng, 0.15, 1))
    words = ("dense",) if density > 80 else ("sparse",) if density < 20 else ()
    return out, words + _size_words(centre, 450, 1700)


def drum(rng: Rng, n: int, sr: int) -> Take:
    f0, decay, snap = log_uniform(rng, 38, 320), log_uniform(rng, 0.1, 1.4), rng.uniform(0, 1) ** 2
    out, size = np.zeros(n, np.float32), int(1.6 * sr)
    t = np.arange(size) / sr
    starts = onsets(rng, n, sr, 1, 16, 0.75)
    for start in starts:
        sweep = f0 * (1 + rng.uniform(0.3, 2.5) * np.exp(-t / rng.uniform(0.01, 0.05)))
        skin = np.sin(2 * np.pi * np.cumsum(sweep) / sr) * np.exp(-6.9 * t / decay)
        over = modes(f0 * np.array([1.59, 2.14, 2.3, 2.65, 2.92]), rng.uniform(0, 0.5, 5), np.full(5, decay / 2),
                     size, sr, rng)
        rattle = coloured_noise(rng, size, sr, 800, 7000) * np.exp(-6.9 * t / (decay * rng.uniform(0.3, 1.0)))
        place(out, (skin + over + snap * rattle).astype(np.float32), start, rng.uniform(0.4, 1))
    return out, _size_words(f0, 70, 180) + _length_words(decay, 0.2, 0.8) + (("fast",) if len(starts) > 10 else ())


def cymbal(rng: Rng, n: int, sr: int) -> Take:
    decay, out = log_uniform(rng, 0.08, 4), np.zeros(n, np.float32)
    frequency = log_uniform(rng, 250, 7500, 90)
    starts = onsets(rng, n, sr, 1, 12 if decay < 0.6 else 4, 0.7)
    if rng.random() < 0.15:  # roll
        starts, decay = (np.arange(0, n, int(sr / rng.uniform(10, 18)))), max(decay, 0.8)
    shape = slow_curve(rng, n, 3, 0.1, 1) if len(starts) > 20 else np.ones(n, np.float32)
    for start in starts:
        length = min(n - start, int(1.2 * decay * sr) + 400)
        t = np.arange(length) / sr
        metal = modes(frequency, (frequency / 2000) ** 0.3, decay * log_uniform(rng, 0.3, 1.2, 90), length, sr, rng)
        hiss = coloured_noise(rng, length, sr, log_uniform(rng, 2000, 4500), 8000) * np.exp(-6.9 * t / (decay * 0.7))
        place(out, metal / 6 + hiss * rng.uniform(0.2, 1), start, shape[start] * rng.uniform(0.4, 1))
    return out, _length_words(decay, 0.3, 1.8)


def wood(rng: Rng, n: int, sr: int) -> Take:
    root, t60, out = log_uniform(rng, 130, 1200), log_uniform(rng, 0.05, 0.7), np.zeros(n, np.float32)
    ratios = np.array([1, rng.choice([2.76, 3.0, 3.9]), 5.4, 8.9]) * (1 + rng.normal(0, 0.03, 4))
    for start, _, f0 in _melody(rng, n, sr, root, 1, 14):
        sound = modes(f0 * ratios, np.array([1, 0.5, 0.3, 0.2]) * rng.uniform(0.3, 1, 4),
                      t60 * np.array([1, 0.6, 0.4, 0.3]), n - start, sr, rng)
        knock = coloured_noise(rng, int(0.03 * sr), sr, 300, 2500)
        place(out, sound, start, rng.uniform(0.5, 1))
        place(out, knock * np.exp(-np.arange(len(knock)) / (0.004 * sr)), start, rng.uniform(0.1, 0.5))
    return out, _size_words(root, 250, 700) + _length_words(t60, 0.1, 0.4)


def synth_tone(rng: Rng, n: int, sr: int) -> Take:
    root, kind, out = log_uniform(rng, 45, 900), int(rng.integers(3)), np.zeros(n, np.float32)
    for start, length, f0 in _melody(rng, n, sr, root, 1, 16):
        t = np.arange(length) / sr
        if kind == 0:
            index = rng.uniform(0.5, 7) * np.exp(-t / rng.uniform(0.1, 2))
            ratio = rng.choice([0.5, 1, 1.41, 2, 3, 3.5])
            tone = np.sin(2 * np.pi * f0 * t + index * np.sin(2 * np.pi * ratio * f0 * t)).astype(np.float32)
        elif kind == 1:
            tone = harmonic(np.full(length, f0), 1 / np.arange(1, 40), sr)
            tone = lowpass(tone, sr, f0 * log_uniform(rng, 1.5, 20), 2)
        else:
            glide = f0 * 2 ** (rng.uniform(-1.5, 1.5) * t / (length / sr))
            tone = harmonic(glide, np.where(np.arange(1, 30) % 2, 1 / np.arange(1, 30), 0), sr)
        place(out, tone * note_envelope(length, sr, log_uniform(rng, 0.003, 0.1), log_uniform(rng, 0.02, 0.5)), start)
    return out, _size_words(root, 90, 400)


def organ(rng: Rng, n: int, sr: int) -> Take:
    root, out = log_uniform(rng, 65, 350), np.zeros(n, np.float32)
    drawbars = rng.uniform(0, 1, 16) ** 2 / np.arange(1, 17) ** 0.4
    for step in rng.choice([0, 3, 4, 7, 10, 12, 16, 19], int(rng.integers(1, 5)), replace=False):
        for start, length, f0 in _melody(rng, n, sr, root, 1, 3):
            pitch = np.full(length, f0 * 2 ** (step / 12) * (1 + rng.normal(0, 0.001)))
            place(out, harmonic(pitch, drawbars, sr, rng.uniform(0, 6)) * note_envelope(length, sr, 0.04, 0.1), start)
    return out, _size_words(root, 100, 240)


TONES: dict[str, Callable[[Rng, int, int], Take]] = {
    "struck metal": struck_metal, "bowed metal": bowed_metal, "bell": bell, "glass": glass,
    "plucked string": plucked_string, "bowed string": bowed_string, "flute": flute, "choir": choir, "drone": drone,
    "granular cloud": granular_cloud, "drum": drum, "cymbal": cymbal, "wood": wood, "synth tone": synth_tone,
    "organ": organ,
}
