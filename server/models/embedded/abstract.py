"""Synthetic sounds without an everyday source: bowed metal, drones, granular clouds, feedback, noise, rumble, whooshes.

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
    lowpass,
    modes,
    moving_noise,
    onsets,
    place,
    room,
    size_words,
    slow_curve,
    spectral_shape,
    swell,
)


def bowed_metal(rng: Rng, n: int, sr: int) -> Take:
    f0, bright, rough = log_uniform(rng, 80, 1100), rng.uniform(0, 1), rng.uniform(0, 1)
    count, t, out = int(rng.integers(8, 32)), np.arange(n) / sr, np.zeros(n, np.float32)
    stiff = rng.random() < 0.5
    ratio = np.arange(1, count + 1) ** rng.uniform(1.15, 1.9) if stiff else np.cumsum(log_uniform(rng, 0.1, 0.8, count))
    frequency = f0 * ratio / ratio[0] * (1 + rng.normal(0, 0.01, count))
    stick = np.cumsum(log_uniform(rng, 12, 80) * slow_curve(rng, n, 6, 0.8, 1.2)) / sr  # the bow catches and lets go
    shiver = 1 + rough * (0.5 * np.sin(2 * np.pi * stick) + slow_curve(rng, n, 180, -0.3, 0.3))
    for k, f in enumerate(frequency):
        if f > 0.46 * sr:
            break
        weight = rng.uniform(0.1, 1) * (f / f0) ** (-1.1 + 1.0 * bright)
        envelope = slow_curve(rng, n, int(rng.integers(2, 9))) ** 2
        beat = 1 + 0.3 * np.sin(2 * np.pi * log_uniform(rng, 0.5, 12) * t + k)
        out += (weight * envelope * beat * np.sin(2 * np.pi * f * (1 + rng.normal(0, 2e-4)) * t + 7 * k)).astype(np.float32)
    friction = moving_noise(rng, n, sr, slow_curve(rng, n, 4, 2 * f0, min(12 * f0, 11000)), 1.3)
    squeal = coloured_noise(rng, n, sr, 3000, 15000) * slow_curve(rng, n, 60) ** 2
    attack = rng.uniform(0.1, 0.75)
    body = out / (out.std() + 1e-9) * shiver + friction * rng.uniform(0.02, 0.3) + squeal * rng.uniform(0, 0.15) * bright
    return body.astype(np.float32) * swell(n, attack, 1.05 - attack), (("swelling",) if attack > 0.5 else ()) + size_words(
        f0, 150, 500) + (("rough",) if rough > 0.75 else ("smooth",) if rough < 0.2 else ())


def drone(rng: Rng, n: int, sr: int) -> Take:
    f0, bright, kind = log_uniform(rng, 32, 160), rng.uniform(0, 1), int(rng.integers(3))
    out = np.zeros(n, np.float32)
    for ratio in rng.choice([0.5, 1, 1, 1.5, 2, 3, 4, 1.498], int(rng.integers(3, 7))):
        pitch = f0 * ratio * (1 + rng.normal(0, 0.004)) * (1 + slow_curve(rng, n, 3, -0.003, 0.003))
        top = int(np.clip((2000 + 10000 * bright) / (f0 * ratio), 8, 90))
        tone = harmonic(pitch, np.arange(1, top) ** -(2.0 - 1.2 * bright), sr, rng.uniform(0, 6))
        out += tone * slow_curve(rng, n, int(rng.integers(2, 8)), 0.2, 1)
    out = out / (out.std() + 1e-9)
    if kind == 1:  # partials that come and go
        for k in rng.permutation(np.arange(2, 40))[:14]:
            t = np.arange(n) * (2 * np.pi * f0 * k * (1 + rng.normal(0, 1e-3)) / sr)
            out += (np.sin(t) * slow_curve(rng, n, int(rng.integers(3, 10))) ** 3 * 3 / k ** (1.1 - 0.6 * bright)).astype(
                np.float32)
    elif kind == 2:  # a resonance that wanders over it
        sweep = moving_noise(rng, n, sr, f0 * np.exp2(slow_curve(rng, n, 4, 1, 3 + 3 * bright)), 0.12)
        out += sweep * rng.uniform(0.3, 1.0)
    air = moving_noise(rng, n, sr, slow_curve(rng, n, 3, 100, 300 + 6000 * bright), 0.8)
    out = lowpass(out + air * rng.uniform(0, 0.4), sr, log_uniform(rng, 250, 900) * (1 + 14 * bright), 1)
    words = ("bright",) if bright > 0.7 else ("dark",) if bright < 0.35 else ()
    return out * swell(n, rng.uniform(0.01, 0.4), rng.uniform(0.01, 0.3), 1), words + size_words(f0, 55, 110)


def _grain(rng: Rng, size: int, sr: int, kind: int, centre: float, sharp: bool) -> Array:
    pitch = min(centre * 2 ** rng.normal(0, 0.5), 0.45 * sr)
    t = np.arange(size) / sr
    if kind == 0:
        body = np.sin(2 * np.pi * pitch * t)
    elif kind == 1:
        body = np.sin(2 * np.pi * pitch * t + rng.uniform(1, 6) * np.sin(2 * np.pi * pitch * rng.uniform(0.5, 3.3) * t))
    elif kind == 2:
        body = modes(pitch * np.array([1, 2.76, 5.4, 8.9]), np.array([1, 0.6, 0.4, 0.2]), np.full(4, 0.2), size, sr, rng)
    else:
        body = coloured_noise(rng, size, sr, pitch * 0.6, min(pitch * 2.5, 15500))
    window = np.exp(-5 * np.arange(size) / size) if sharp else np.hanning(size) ** rng.uniform(0.4, 2)
    return (body * window).astype(np.float32)


def granular_cloud(rng: Rng, n: int, sr: int) -> Take:
    density, centre, kind = log_uniform(rng, 8, 250), log_uniform(rng, 200, 5500), int(rng.integers(4))
    contour, glide = slow_curve(rng, n, int(rng.integers(2, 7)), 0.1, 1), slow_curve(rng, n, 3, -1, 1)
    longest, out, sharp = log_uniform(rng, 0.008, 0.16), np.zeros(n, np.float32), rng.random() < 0.5
    bank = [_grain(rng, max(64, int(longest * sr * rng.uniform(0.3, 1))), sr, kind, centre, sharp) for _ in range(24)]
    for start in np.sort(rng.integers(0, n, int(density * n / sr))):
        if rng.random() < contour[start]:
            grain = bank[int(np.clip((glide[start] * 0.5 + 0.5) * 12 + rng.integers(12), 0, 23))]
            place(out, grain, start, log_uniform(rng, 0.15, 1))
    words = ("dense",) if density > 90 else ("sparse",) if density < 20 else ()
    return out, words + size_words(centre, 450, 2200)


def _howl(rng: Rng, n: int, sr: int) -> Array:
    """A loop of microphone and loudspeaker: modes of the room grow until they saturate, one takes over from another."""
    out, t = np.zeros(n, np.float32), np.arange(n) / sr
    resonances = log_uniform(rng, 180, 6500, 5)
    for _ in range(int(rng.integers(2, 6))):
        f = rng.choice(resonances) * (1 + slow_curve(rng, n, int(rng.integers(2, 6)), -0.015, 0.015))
        start, grow = rng.uniform(-0.5, 0.75 * n / sr), log_uniform(rng, 0.15, 2.5)
        stop = start + rng.uniform(0.6, 4.5)
        level = np.exp(np.clip((t - start) / grow * 5 - 5, -12, 0)) * np.clip((stop - t) / 0.08, 0, 1)
        phase = 2 * np.pi * np.cumsum(f) / sr
        drive = log_uniform(rng, 1, 9)
        out += (np.tanh(drive * level * np.sin(phase)) * level ** 0.2 / drive**0.3).astype(np.float32)
    hum = harmonic(np.full(n, rng.choice([50.0, 60.0])), rng.uniform(0, 1, 20) / np.arange(1, 21), sr)
    hiss = coloured_noise(rng, n, sr, 200, 15000)
    return out + rng.uniform(0, 0.03) * hum + rng.uniform(0.002, 0.03) * hiss


def _no_input(rng: Rng, n: int, sr: int) -> Array:
    """A mixer fed into itself: a saturated oscillator whose pitch jumps chaotically, bursts, stutters, hum and hiss."""
    rate, x = log_uniform(rng, 2, 70), rng.uniform(0.1, 0.9)
    count = int(n / sr * rate) + 2
    values = np.empty(count)
    r = rng.uniform(3.55, 4.0)
    for k in range(count):  # the logistic map, between cycles and chaos
        x = r * x * (1 - x)
        values[k] = x
    step = np.minimum((np.arange(n) / sr * rate).astype(int), count - 1)
    low, high = np.sort(log_uniform(rng, 40, 5000, 2))
    pitch = low * (high / low) ** values[step]
    tone = np.tanh(log_uniform(rng, 1, 12) * np.sin(2 * np.pi * np.cumsum(pitch) / sr))
    ring = np.sin(2 * np.pi * np.cumsum(pitch * rng.choice([0.5, 1.01, 1.5, 2.7])) / sr)
    noise = coloured_noise(rng, n, sr, 200, 15500) * (values[step] > rng.uniform(0.6, 0.98))
    sound = tone * (1 - 0.5 * ring * rng.uniform(0, 1)) + rng.uniform(0, 0.6) * noise
    gate = values[np.minimum((np.arange(n) / sr * rate / rng.choice([1, 2, 4, 8])).astype(int), count - 1)]
    sound = sound * (0.15 + (gate > rng.uniform(0, 0.6)))
    return lowpass(sound.astype(np.float32), sr, log_uniform(rng, 2500, 15000), 1)


def feedback(rng: Rng, n: int, sr: int) -> Take:
    if rng.random() < 0.55:
        return room(rng, _howl(rng, n, sr), sr, rng.uniform(0.3, 1.5), rng.uniform(0, 0.3)), ("high",)
    return _no_input(rng, n, sr), ("rough",)


def noise_texture(rng: Rng, n: int, sr: int) -> Take:
    bright, kind = rng.uniform(0, 1), rng.integers(3)
    if kind == 0:
        return coloured_noise(rng, n, sr, 30, 15800, rng.choice([0, -3, -6])) * swell(n, 0.05, 0.05), ("smooth",)
    centre = slow_curve(rng, n, int(rng.integers(1, 6)), *np.sort(log_uniform(rng, 250, 11000, 2)))
    sound = moving_noise(rng, n, sr, centre, rng.uniform(0.1, 1.5), 0.01)
    if kind == 2:
        gate = slow_curve(rng, n, int(n / sr * log_uniform(rng, 2, 40))) ** 2
        return sound * gate, ("rough",)
    words = ("bright",) if centre.mean() > 3500 else ("dark",) if centre.mean() < 900 else ()
    return sound * swell(n, rng.uniform(0.02, 0.6 * bright + 0.05), 0.2, 1), words


def rumble(rng: Rng, n: int, sr: int) -> Take:
    sound = coloured_noise(rng, n, sr, 22, log_uniform(rng, 50, 220), -2)
    shape = slow_curve(rng, n, int(rng.integers(2, 14)), 0.1, 1)
    return sound * shape, ("low", "dark")


def whoosh(rng: Rng, n: int, sr: int) -> Take:
    out, starts = np.zeros(n, np.float32), onsets(rng, n, sr, 1, 4, 0.4)
    for start in starts:
        length = int(sr * log_uniform(rng, 0.2, 2.5))
        peak = rng.uniform(0.3, 0.85)
        shape = swell(length, peak, 1 - peak, 2)
        centre = log_uniform(rng, 250, 1400) * (1 + log_uniform(rng, 1, 7) * shape)
        place(out, moving_noise(rng, length, sr, centre, rng.uniform(0.3, 1.1), 0.02) * shape, start)
    return out, ("fast",) if len(starts) > 2 else ("swelling",)


def scrape(rng: Rng, n: int, sr: int) -> Take:
    stroke = slow_curve(rng, n, int(rng.integers(3, 14))) ** 1.5
    grit = slow_curve(rng, n, int(n / sr * log_uniform(rng, 30, 250))) ** 2
    centres = log_uniform(rng, 500, 11000, 6)
    sound = spectral_shape(rng.standard_normal(n).astype(np.float32) * grit, sr, centres, centres * log_uniform(
        rng, 0.03, 0.5), rng.uniform(0.3, 1, 6))
    return lowpass(sound, sr, 13000, 1) * stroke, ("rough",)


ABSTRACT: dict[str, Synth] = {
    "bowed metal": bowed_metal, "drone": drone, "granular cloud": granular_cloud, "feedback": feedback,
    "noise texture": noise_texture, "rumble": rumble, "whoosh": whoosh, "scrape": scrape,
}
