"""Synthetic sounds made of noise and events: weather, water, fire, creatures, machines, debris.

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
    log_uniform,
    modes,
    moving_noise,
    onsets,
    place,
    slow_curve,
    spectral_shape,
)


def water(rng: Rng, n: int, sr: int) -> Take:
    rate, out, size = log_uniform(rng, 1.5, 120), np.zeros(n, np.float32), int(0.12 * sr)
    t = np.arange(size) / sr
    for start in np.sort(rng.integers(0, n, max(2, int(rate * n / sr)))):
        f0 = log_uniform(rng, 350, 5500)
        rise = f0 * (1 + rng.uniform(0, 6) * t)
        drop = np.sin(2 * np.pi * np.cumsum(np.minimum(rise, 0.45 * sr)) / sr) * np.exp(-t * rng.uniform(30, 160))
        drop[:24] *= np.linspace(0, 1, 24)
        place(out, drop.astype(np.float32), start, log_uniform(rng, 0.05, 1))
    if rate > 30:
        out += 0.1 * out.std() * coloured_noise(rng, n, sr, 400, 12000, -2)
    return out, ("dense", "fast") if rate > 40 else ("sparse",) if rate < 6 else ()


def _impulses(rng: Rng, n: int, rate: float, sr: int, spread: float) -> Array:
    out = np.zeros(n, np.float32)
    count = max(1, int(rate * n / sr))
    np.add.at(out, rng.integers(0, n, count), (log_uniform(rng, spread, 1, count) * rng.choice([-1, 1], count)).astype(
        np.float32))
    return out


def rain(rng: Rng, n: int, sr: int) -> Take:
    rate, roof = log_uniform(rng, 60, 4000), rng.random() < 0.4
    drops = _impulses(rng, n, rate, sr, 0.02)
    centres = log_uniform(rng, 300, 1800, 5) if roof else log_uniform(rng, 1500, 12000, 5)
    drops = spectral_shape(drops, sr, centres, centres * 0.5, rng.uniform(0.4, 1, 5))
    bed = coloured_noise(rng, n, sr, 300, 15500, rng.uniform(-4, 0)) * slow_curve(rng, n, 8, 0.8, 1)
    sound = drops / (drops.std() + 1e-9) + bed * rng.uniform(0.1, 1.2)
    return sound, ("hard", "dense") if rate > 1500 else ("soft", "sparse") if rate < 200 else ()


def thunder(rng: Rng, n: int, sr: int) -> Take:
    out, far = np.zeros(n, np.float32), rng.random() < 0.5
    for start in onsets(rng, n, sr, 1, 2, 0.0):
        length = n - start
        t = np.arange(length) / sr
        body = coloured_noise(rng, length, sr, 25, 90 if far else 260, -3)
        roll = slow_curve(rng, length, max(3, int(length / sr * 7))) ** 2 + 0.1
        place(out, body * roll * np.exp(-t / rng.uniform(0.8, 2.5)), start)
        if not far:
            crack = coloured_noise(rng, length, sr, 100, 10000, -2) * np.exp(-t / rng.uniform(0.05, 0.35))
            tear = slow_curve(rng, length, max(3, int(length / sr * 60))) ** 3
            place(out, crack * tear, start, rng.uniform(0.8, 2.5))
    return out + 0.01 * coloured_noise(rng, n, sr, 50, 3000, -3), ("soft", "low") if far else ("hard",)


def wind(rng: Rng, n: int, sr: int) -> Take:
    howl, out = rng.uniform(0, 1), np.zeros(n, np.float32)
    gust = slow_curve(rng, n, int(rng.integers(3, 12)), 0.15, 1)
    for _ in range(int(rng.integers(1, 4))):
        base = log_uniform(rng, 180, 1400)
        centre = base * (0.7 + 0.7 * gust) * slow_curve(rng, n, 8, 0.9, 1.1)
        out += moving_noise(rng, n, sr, centre, 1.2 - 1.08 * howl, 0.0) * gust ** 1.5 * rng.uniform(0.3, 1)
    out += coloured_noise(rng, n, sr, 40, 900, -4) * gust * (1.1 - howl) * 0.7
    return out, ("high",) if howl > 0.8 else ("low", "soft") if howl < 0.2 else ()


def sea(rng: Rng, n: int, sr: int) -> Take:
    period, out = rng.uniform(2.2, 8), np.zeros(n, np.float32)
    near, at = rng.uniform(0, 1), -rng.uniform(0, 0.7) * period
    while at < n / sr:
        size, length_s = rng.uniform(0.4, 1), period * rng.uniform(1.1, 1.6)
        length, rise = int(length_s * sr), rng.uniform(0.2, 0.45)
        t = np.linspace(0, 1, length, dtype=np.float32)
        shape = np.where(t < rise, (t / rise) ** 2.2, ((1 - t) / (1 - rise)) ** 1.8)
        body = moving_noise(rng, length, sr, 350 + (1200 + 3000 * near) * shape, 1.5, 0.04) * shape
        foam = coloured_noise(rng, length, sr, 1800, 14000, -1) * np.clip(t - rise, 0, 1) * shape * slow_curve(
            rng, length, int(length_s * 25), 0.3, 1) * 4
        thump = coloured_noise(rng, length, sr, 35, 220, -2) * np.exp(-0.5 * ((t - rise) / 0.09) ** 2)
        wave = body + foam * rng.uniform(0.1, 0.6) * near + thump * rng.uniform(0, 0.7)
        start = int(at * sr)
        place(out, wave.astype(np.float32), start, size)
        at += period * rng.uniform(0.75, 1.25)
    bed = coloured_noise(rng, n, sr, 60, 6000, -4) * slow_curve(rng, n, 6, 0.5, 1)
    return out + bed * rng.uniform(0.02, 0.15), ("slow",) if period > 5.5 else ()


def fire(rng: Rng, n: int, sr: int) -> Take:
    rate = log_uniform(rng, 6, 90)
    cracks = np.zeros(n, np.float32)
    for start in rng.integers(0, n, int(rate * n / sr)):
        size = int(sr * log_uniform(rng, 0.002, 0.03))
        burst = coloured_noise(rng, max(size, 24), sr, log_uniform(rng, 300, 4000), 15500)
        place(cracks, burst * np.exp(-np.arange(len(burst)) / (0.25 * len(burst))), start, log_uniform(rng, 0.03, 1))
    roar = coloured_noise(rng, n, sr, 40, 500, -4) * slow_curve(rng, n, 30, 0.4, 1) * rng.uniform(0.02, 0.25)
    hiss = coloured_noise(rng, n, sr, 1500, 15000) * rng.uniform(0.0, 0.05)
    return cracks + roar + hiss, ("dense",) if rate > 45 else ("sparse",) if rate < 14 else ()


def birds(rng: Rng, n: int, sr: int) -> Take:
    out = np.zeros(n, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        base, level = log_uniform(rng, 1500, 7000), rng.uniform(0.3, 1)
        length, depth = log_uniform(rng, 0.03, 0.25), rng.uniform(0.03, 0.35)
        trill = rng.uniform(0, 1) < 0.4
        for phrase in onsets(rng, n, sr, 1, 5, 0.3):
            for k in range(int(rng.integers(1, 9))):
                size = int(length * sr)
                t = np.linspace(0, 1, size)
                bend = base * (1 + depth * np.sin(np.pi * (t * rng.uniform(0.5, 2) + rng.uniform(0, 1)))
                               + (0.06 * np.sin(2 * np.pi * 25 * t) if trill else 0))
                tone = harmonic(np.minimum(bend, 0.46 * sr), np.array([1, rng.uniform(0, 0.2)]), sr) * np.hanning(size)
                place(out, tone.astype(np.float32), phrase + int(k * size * rng.uniform(1.05, 1.6)), level)
    return out + 0.004 * coloured_noise(rng, n, sr, 200, 12000, -3), ("high",)


def insects(rng: Rng, n: int, sr: int) -> Take:
    out, t = np.zeros(n, np.float32), np.arange(n) / sr
    bees = rng.random() < 0.35
    for _ in range(int(rng.integers(1, 4))):
        if bees:
            pitch = log_uniform(rng, 110, 260) * (1 + slow_curve(rng, n, 12, -0.08, 0.08))
            out += harmonic(pitch, np.arange(1, 25) ** -0.8, sr) * slow_curve(rng, n, 8, 0.2, 1)
        else:
            pulse = np.clip(np.sin(2 * np.pi * log_uniform(rng, 12, 60) * t), 0, 1)
            phrase = (np.sin(2 * np.pi * log_uniform(rng, 0.4, 4) * t + rng.uniform(0, 6)) > rng.uniform(-1, 0.3))
            tone = np.sin(2 * np.pi * log_uniform(rng, 2200, 9000) * t)
            out += (tone * pulse * phrase * rng.uniform(0.3, 1)).astype(np.float32)
    return out + 0.01 * coloured_noise(rng, n, sr, 1000, 15000), ("low",) if bees else ("high",)


def engine(rng: Rng, n: int, sr: int) -> Take:
    rate = log_uniform(rng, 14, 130)
    pitch = rate * (1 + slow_curve(rng, n, int(rng.integers(2, 6)), -0.25, 0.5) * rng.uniform(0, 1))
    pulses = harmonic(pitch, rng.uniform(0.2, 1, 60) * np.arange(1, 61) ** -0.5, sr)
    cylinder = harmonic(pitch / 4, rng.uniform(0.2, 1, 12), sr) * 0.3
    centres = log_uniform(rng, 80, 1500, 4)
    body = spectral_shape(pulses + cylinder, sr, centres, centres * 0.6, rng.uniform(0.3, 1, 4))
    grit = coloured_noise(rng, n, sr, 200, 12000, -3) * (0.4 + np.clip(pulses / (pulses.std() + 1e-9), 0, 3))
    sound = body / body.std() + grit * rng.uniform(0.03, 0.4)
    return np.tanh(sound), ("low", "slow") if rate < 30 else ("high", "fast") if rate > 80 else ()


def helicopter(rng: Rng, n: int, sr: int) -> Take:
    rate, t = rng.uniform(8, 22), np.arange(n) / sr
    phase = (t * rate + 0.3 * slow_curve(rng, n, 4)) % 1
    chop = np.exp(-phase * rng.uniform(4, 10)).astype(np.float32)
    sound = coloured_noise(rng, n, sr, 40, log_uniform(rng, 300, 2500), -2) * chop
    turbine = harmonic(np.full(n, log_uniform(rng, 300, 1500)), np.array([1, 0.4, 0.2]), sr) * rng.uniform(0, 0.1)
    return (sound + turbine) * slow_curve(rng, n, 3, 0.5, 1), ("fast",) if rate > 16 else ()


def clock(rng: Rng, n: int, sr: int) -> Take:
    out, step = np.zeros(n, np.float32), int(sr / rng.choice([1, 2, 2, 4, 5]))
    frequency = log_uniform(rng, 1200, 11000, 10)
    gains = (rng.uniform(0.6, 1), rng.uniform(0.3, 1))
    for k, start in enumerate(range(int(rng.integers(0, step)), n, step)):
        tick = modes(frequency * (1 + 0.1 * (k % 2)), rng.uniform(0.2, 1, 10), np.full(10, rng.uniform(0.01, 0.05)),
                     int(0.08 * sr), sr, rng)
        place(out, tick, start, gains[k % 2])
    return out + 0.003 * coloured_noise(rng, n, sr, 100, 10000), ()


def _shards(rng: Rng, n: int, sr: int, low_hz: float, high_hz: float, t60_s: tuple[float, float], count: int,
            spread_s: float) -> Array:
    """A break: a burst, then pieces that ring as they land, thinning out."""
    out = np.zeros(n, np.float32)
    impact = int(rng.uniform(0, 0.35) * sr)
    burst = coloured_noise(rng, int(0.4 * sr), sr, low_hz * 0.3, min(high_hz * 2, 15500))
    place(out, burst * np.exp(-np.arange(len(burst)) / (rng.uniform(0.02, 0.1) * sr)), impact, rng.uniform(0.5, 1.5))
    for delay in rng.exponential(spread_s, count):
        f0 = log_uniform(rng, low_hz, high_hz)
        ratios = np.sort(rng.uniform(1, 6, 5))
        piece = modes(f0 * ratios / ratios[0], rng.uniform(0.2, 1, 5), log_uniform(rng, *t60_s, 5), int(0.8 * sr), sr, rng)
        place(out, piece, impact + int(delay * sr), log_uniform(rng, 0.05, 0.6) * np.exp(-delay))
    return out


def glass_breaking(rng: Rng, n: int, sr: int) -> Take:
    return _shards(rng, n, sr, 1600, 9000, (0.03, 0.5), int(rng.integers(20, 90)), rng.uniform(0.1, 0.7)), ("bright",)


def metal_smash(rng: Rng, n: int, sr: int) -> Take:
    return _shards(rng, n, sr, 200, 5000, (0.08, 1.2), int(rng.integers(8, 40)), rng.uniform(0.1, 0.8)), ("hard",)


def wood_breaking(rng: Rng, n: int, sr: int) -> Take:
    return _shards(rng, n, sr, 200, 1800, (0.01, 0.08), int(rng.integers(10, 50)), rng.uniform(0.05, 0.4)), ("short",)


def rubble(rng: Rng, n: int, sr: int) -> Take:
    rocks = _shards(rng, n, sr, 80, 900, (0.01, 0.07), int(rng.integers(30, 120)), rng.uniform(0.3, 1.2))
    dust = coloured_noise(rng, n, sr, 200, 10000, -3) * np.exp(-np.arange(n) / sr / rng.uniform(0.5, 1.5))
    return rocks + dust * 0.1, ("low", "rough")


def explosion(rng: Rng, n: int, sr: int) -> Take:
    out = np.zeros(n, np.float32)
    starts = onsets(rng, n, sr, 1, 4, 0.2)
    for start in starts:
        t, decay = np.arange(n - start) / sr, log_uniform(rng, 0.15, 1.6)
        blast = coloured_noise(rng, len(t), sr, 25, 12000, -3) * np.exp(-t / (0.2 * decay))
        boom = coloured_noise(rng, len(t), sr, 25, 220, -2) * np.exp(-t / decay) * slow_curve(rng, len(t), 40, 0.4, 1)
        place(out, np.tanh(2 * (blast + boom)), start, rng.uniform(0.5, 1))
    return out, ("hard", "low")


SCENES: dict[str, Synth] = {
    "water": water, "rain": rain,
    "thunder": thunder, "wind": wind, "sea": sea, "fire": fire, "birds": birds, "insects": insects, "engine": engine,
    "helicopter": helicopter, "clock": clock, "glass breaking": glass_breaking, "metal smash": metal_smash,
    "wood breaking": wood_breaking, "rubble": rubble, "explosion": explosion,
}
