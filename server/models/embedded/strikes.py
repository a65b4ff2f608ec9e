"""Synthetic sounds of struck bodies: metal, bells, glass, drums, cymbals, wood.

Each function returns one take `[n]` and the adjectives (keys of `vocabulary.ADJECTIVES`) that are true of it.
"""

import numpy as np

from .synthesis import (
    SCALES,
    Array,
    Rng,
    Synth,
    Take,
    coloured_noise,
    harmonic,
    length_words,
    log_uniform,
    melody,
    modes,
    moving_noise,
    onsets,
    place,
    size_words,
    slow_curve,
    swell,
)


def _burst(rng: Rng, sr: int, low_hz: float, high_hz: float, decay_s: float) -> Array:
    """The contact noise of a stroke: from full level at its first sample, peak 1."""
    size = int(8 * decay_s * sr) + 16
    burst = coloured_noise(rng, size, sr, low_hz, min(high_hz, 0.48 * sr)) * np.exp(-np.arange(size) / (decay_s * sr))
    return (burst / np.abs(burst).max()).astype(np.float32)


def _strokes(rng: Rng, n: int, sr: int, frequency: Array, level: Array, t60: Array, click: float,
             starts: Array) -> Array:
    """Strokes on one body: force and place change from stroke to stroke, and a harder one sounds brighter."""
    out = np.zeros(n, np.float32)
    for start in starts:
        force = rng.uniform(0.35, 1)
        tilt = (frequency / frequency[0]) ** (-0.5 * (1 - force))
        sound = modes(frequency, level * tilt * rng.uniform(0.5, 1, len(level)), t60, n - start, sr, rng)
        if len(sound) == 0:
            continue
        rise = min(len(sound), int(sr * log_uniform(rng, 0.00005, 0.0012)) + 1)
        sound[:rise] *= np.linspace(0, 1, rise)
        sound *= force / (np.abs(sound).max() + 1e-9)
        place(out, sound, start)
        contact = _burst(rng, sr, max(frequency[0], 150), 5000 + 10000 * force, log_uniform(rng, 0.0006, 0.004))
        place(out, contact, start, click * force)
    return out


def _metal_ratios(rng: Rng, count: int) -> Array:
    kind = rng.integers(3)
    if kind == 0:  # free bar, with the modes of its other plane
        bar = ((2 * np.arange(1, count // 2 + 2) + 1) / 3.011) ** 2
        base = np.sort(np.concatenate([bar, bar * rng.uniform(1.1, 1.8)]))
        base = base / base[0]
    elif kind == 1:  # rectangular plate
        m, k = np.meshgrid(np.arange(1, 11), np.arange(1, 11))
        base = np.sort((m**2 + rng.uniform(0.4, 2.5) * k**2).ravel())[:count]
        base = base / base[0]
    else:  # gong or irregular body
        base = np.cumsum(log_uniform(rng, 0.06, 0.6, count)) + 1
    return base * (1 + rng.normal(0, 0.012, len(base)))


def struck_metal(rng: Rng, n: int, sr: int) -> Take:
    f0, t60, bright = log_uniform(rng, 60, 1000), log_uniform(rng, 0.3, 9), rng.uniform(0.2, 1)
    ratios = _metal_ratios(rng, int(rng.integers(24, 90)))
    frequency = f0 * ratios
    level = rng.uniform(0.1, 1, len(ratios)) * ratios ** (-1.1 + 1.1 * bright)
    decay = t60 * ratios ** -rng.uniform(0.15, 0.7) * log_uniform(rng, 0.6, 1.6, len(ratios))
    starts = onsets(rng, n, sr, 1, 6 if t60 > 1.2 else 14)
    sound = _strokes(rng, n, sr, frequency, level, decay, rng.uniform(0.1, 0.8), starts)
    if f0 < 250 and t60 > 3 and rng.random() < 0.6:  # a gong: the highs bloom after the stroke
        first = int(starts[0])
        time = np.arange(n - first) / sr
        high = frequency[frequency > 4 * f0]
        if len(high):
            wash = modes(high, rng.uniform(0.2, 1, len(high)), np.full(len(high), 0.5 * t60), n - first, sr, rng)
            bloom = (1 - np.exp(-time / rng.uniform(0.08, 0.6))).astype(np.float32)
            place(sound, wash / (np.abs(wash).max() + 1e-9) * bloom, first, rng.uniform(0.2, 0.8))
    words = size_words(f0, 140, 450) + length_words(t60, 0.9, 4)
    return sound, words + (("bright",) if bright > 0.75 else ("dark",) if bright < 0.4 else ())


# Partials of a church bell: ratio to the prime, level, decay as a share of the hum's.
CHURCH = np.array([
    (0.5, 0.6, 1.0), (1, 0.5, 0.75), (1.19, 0.8, 0.65), (1.5, 0.25, 0.4), (2, 1.0, 0.42), (2.51, 0.3, 0.3),
    (2.66, 0.4, 0.28), (3.01, 0.6, 0.26), (4.17, 0.5, 0.2), (5.43, 0.4, 0.15), (6.8, 0.35, 0.12), (8.2, 0.3, 0.1),
    (9.7, 0.25, 0.08), (11.3, 0.2, 0.07), (13.2, 0.2, 0.06), (15.4, 0.15, 0.05),
])


def _church(rng: Rng, n: int, sr: int, prime_hz: float, t60: float, starts: Array) -> Array:
    ratio, level, decay = (np.repeat(column, 2) for column in CHURCH.T)  # each partial is a pair that beats
    ratio = ratio * (1 + rng.normal(0, 0.004, len(ratio))) * np.tile([1, 1 + rng.uniform(3e-4, 3e-3)], len(CHURCH))
    order = np.argsort(ratio)
    return _strokes(rng, n, sr, prime_hz * ratio[order], (level * rng.uniform(0.5, 1.3, len(level)))[order],
                    (t60 * decay)[order], rng.uniform(0.1, 0.5), starts)


def _small_bell(rng: Rng, n: int, sr: int, f0: float, t60: float, starts: Array) -> Array:
    ratio = np.array([1, 1.004, 2.0, 2.74, 3.0, 3.01, 5.2, 5.4, 8.1, 11.0]) * (1 + rng.normal(0, 0.004, 10))
    ratio = np.sort(ratio)
    return _strokes(rng, n, sr, f0 * ratio, rng.uniform(0.3, 1, 10) * ratio**-0.5, t60 * ratio**-0.6,
                    rng.uniform(0.1, 0.5), starts)


def bell(rng: Rng, n: int, sr: int) -> Take:
    kind = rng.choice(["church", "peal", "tubular", "hand", "jingle"], p=[0.35, 0.15, 0.2, 0.2, 0.1])
    scale, out = SCALES[rng.integers(len(SCALES))], np.zeros(n, np.float32)
    if kind in ("church", "peal"):
        f0, t60 = log_uniform(rng, 110, 900), log_uniform(rng, 3, 14)
        if kind == "church":
            return _church(rng, n, sr, f0, t60, onsets(rng, n, sr, 1, 5, 0.8)), size_words(f0, 220, 500) + ("long",)
        step = rng.uniform(0.22, 0.6)
        for start in np.arange(rng.uniform(0, 0.3), n / sr, step * 5):
            for place_in_row, interval in enumerate(rng.permutation(np.array(scale[:5]))):
                at = int((start + place_in_row * step) * sr)
                if at < n:
                    out += _church(rng, n, sr, f0 * 2 ** (interval / 12), t60, np.array([at]))
        return out, ("dense",)
    if kind == "tubular":
        f0, t60 = log_uniform(rng, 200, 900), log_uniform(rng, 2, 8)
        ratio = ((2 * np.arange(2, 16) + 1) ** 2) / 81.0 * (1 + rng.normal(0, 0.003, 14))
        for start, _, pitch in melody(rng, n, sr, f0, 1, 7):
            out += _strokes(rng, n, sr, pitch * ratio, rng.uniform(0.4, 1, 14) * ratio**-0.4, t60 * ratio**-0.5,
                            rng.uniform(0.1, 0.5), np.array([start]))
        return out, size_words(f0, 300, 700) + length_words(t60, 2.5, 5)
    f0, t60 = log_uniform(rng, 700, 3800), log_uniform(rng, 0.4, 4)
    if kind == "hand":
        for start, _, pitch in melody(rng, n, sr, f0, 1, 9):
            out += _small_bell(rng, n, sr, pitch, t60, np.array([start]))
        return out, ("high",) + length_words(t60, 0.8, 2.5)
    for _ in range(int(rng.integers(2, 6))):  # jingle: light bells shaken together
        starts = np.sort(rng.integers(0, n, int(n / sr * rng.uniform(2, 10))))
        out += _small_bell(rng, n, sr, f0 * rng.uniform(0.8, 1.6), min(t60, 0.6), starts)
    return out, ("high", "dense")


def glass(rng: Rng, n: int, sr: int) -> Take:
    f0 = log_uniform(rng, 400, 3200)
    ratios = np.array([1, 2.32, 4.25, 6.63, 9.38, 12.2, 15.3]) * (1 + rng.normal(0, 0.02, 7))
    t60, out = log_uniform(rng, 0.3, 5), np.zeros(n, np.float32)
    if rng.random() < 0.25:  # rubbed rim
        pitch = f0 * (1 + 0.002 * slow_curve(rng, n, 20, -1, 1))
        tone = harmonic(pitch, np.array([1, 0.12, 0.05, 0.02]), sr) * slow_curve(rng, n, 10, 0.6, 1)
        rub = moving_noise(rng, n, sr, pitch * 1.5, 0.5) * rng.uniform(0.01, 0.06)
        return (tone + rub) * swell(n, rng.uniform(0.1, 0.6), 0.3, 1), ("smooth", "long")
    base = SCALES[rng.integers(len(SCALES))]
    for _ in range(int(rng.integers(1, 8))):
        frequency = f0 * 2 ** (rng.choice(base) / 12) * ratios
        out += _strokes(rng, n, sr, frequency, rng.uniform(0.3, 1, 7) * ratios ** rng.uniform(-0.9, -0.2),
                        t60 * ratios**-0.5, rng.uniform(0.1, 0.7), onsets(rng, n, sr, 1, 3))
    return out, size_words(f0, 700, 1900) + length_words(t60, 0.7, 2.5)


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
        rattle = coloured_noise(rng, size, sr, 800, 14000) * np.exp(-6.9 * t / (decay * rng.uniform(0.3, 1.0)))
        level = rng.uniform(0.4, 1)
        place(out, (skin + over + snap * rattle).astype(np.float32), start, level)
        place(out, _burst(rng, sr, 200, 9000, log_uniform(rng, 0.001, 0.006)), start, level * rng.uniform(0.1, 0.7))
    return out, size_words(f0, 70, 180) + length_words(decay, 0.2, 0.8) + (("fast",) if len(starts) > 10 else ())


def cymbal(rng: Rng, n: int, sr: int) -> Take:
    decay, out = log_uniform(rng, 0.08, 4), np.zeros(n, np.float32)
    frequency = log_uniform(rng, 250, 15000, 80)
    starts = onsets(rng, n, sr, 1, 12 if decay < 0.6 else 4, 0.7)
    if rng.random() < 0.15:  # roll
        starts, decay = (np.arange(0, n, int(sr / rng.uniform(10, 18)))), max(decay, 0.8)
    shape = slow_curve(rng, n, 3, 0.1, 1) if len(starts) > 20 else np.ones(n, np.float32)
    for start in starts:
        length = min(n - start, int(1.1 * decay * sr) + 400)
        t = np.arange(length) / sr
        metal = modes(frequency, (frequency / 2000) ** 0.3, decay * log_uniform(rng, 0.3, 1.2, 80), length, sr, rng)
        hiss = coloured_noise(rng, length, sr, log_uniform(rng, 2000, 6000), 15500) * np.exp(-6.9 * t / (decay * 0.7))
        place(out, metal / 5 + hiss * rng.uniform(0.2, 1), start, shape[start] * rng.uniform(0.4, 1))
    return out, length_words(decay, 0.3, 1.8)


def wood(rng: Rng, n: int, sr: int) -> Take:
    root, t60, out = log_uniform(rng, 130, 1200), log_uniform(rng, 0.05, 0.7), np.zeros(n, np.float32)
    ratios = np.array([1, rng.choice([2.76, 3.0, 3.9]), 5.4, 8.9]) * (1 + rng.normal(0, 0.03, 4))
    for start, _, f0 in melody(rng, n, sr, root, 1, 14):
        sound = modes(f0 * ratios, np.array([1, 0.5, 0.3, 0.2]) * rng.uniform(0.3, 1, 4),
                      t60 * np.array([1, 0.6, 0.4, 0.3]), n - start, sr, rng)
        place(out, sound, start, rng.uniform(0.5, 1))
        place(out, _burst(rng, sr, 300, 6000, 0.003), start, rng.uniform(0.1, 0.7))
    return out, size_words(root, 250, 700) + length_words(t60, 0.1, 0.4)


STRIKES: dict[str, Synth] = {
    "struck metal": struck_metal, "bell": bell, "glass": glass, "drum": drum, "cymbal": cymbal, "wood": wood,
}
