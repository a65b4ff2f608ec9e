"""The two abstract clips that ship as presets, synthesised from a seed: `python -m server.models.embedded.clips DIR`.

Both are 48 kHz stereo, 24-bit FLAC, peak -3 dBFS, and dedicated to the public domain (CC0).
"""

import sys
from pathlib import Path

import numpy as np
import soundfile

from .synthesis import Array, Rng, coloured_noise, log_uniform, modes, moving_noise, place, room, slow_curve

SAMPLE_RATE = 48000
PLATE = np.array([1.0, 1.58, 2.24, 2.87, 3.46, 4.15, 5.31, 6.02, 7.44, 9.1, 11.3])


def _panned(out: Array, sound: Array, start: int, position: float, gain: float) -> None:
    """Add a mono sound at a stereo position -1..1, equal power, with a little delay on the far side."""
    angle = (position + 1) * np.pi / 4
    place(out[0], sound, start + int(max(0.0, position) * 20), gain * np.cos(angle))
    place(out[1], sound, start + int(max(0.0, -position) * 20), gain * np.sin(angle))


def _finish(rng: Rng, out: Array, t60_s: float, wet: float, fade_s: float) -> Array:
    out = np.stack([room(rng, channel, SAMPLE_RATE, t60_s, wet) for channel in out])
    tail = int(fade_s * SAMPLE_RATE)
    out[:, -tail:] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(tail) / tail)
    out -= out.mean(axis=1, keepdims=True)
    return (out * (10 ** (-3 / 20) / np.abs(out).max())).astype(np.float32)


def granular_metal(seed: int = 41) -> Array:
    """Metal grains that gather, crowd into a strike near 2.6 s and scatter upwards: 5.2 s, `[2, samples]`."""
    rng, n = np.random.default_rng(seed), int(5.2 * SAMPLE_RATE)
    out, t = np.zeros((2, n), np.float32), np.arange(n) / SAMPLE_RATE
    strike = 2.6
    for _ in range(900):
        near = rng.random() < 0.7
        at = float(np.clip(strike - rng.exponential(0.75) if near else strike + rng.exponential(0.9), 0, 5.0))
        closeness = np.exp(-abs(at - strike) / 0.9)
        rising = np.clip((at - strike) / 2.2, 0, 1)
        base = 260 * 2 ** (rng.choice([0, 3, 7, 10, 14]) / 12 + rng.choice([0, 0, 1]) + 1.5 * rising)
        length = int(SAMPLE_RATE * log_uniform(rng, 0.02, 0.05 + 0.3 * closeness))
        grain = modes(base * PLATE * (1 + rng.normal(0, 0.006, len(PLATE))), rng.uniform(0.1, 1, len(PLATE)) / PLATE**0.5,
                      np.full(len(PLATE), 0.08 + 0.5 * closeness), length, SAMPLE_RATE, rng)
        window = np.hanning(length) if rng.random() < 0.6 else np.linspace(1, 0, length) ** 2
        _panned(out, (grain * window).astype(np.float32), int(at * SAMPLE_RATE),
                rng.uniform(-1, 1) * (1 - 0.6 * closeness), log_uniform(rng, 0.05, 0.5) * (0.25 + closeness))
    ring = 130.8 * np.concatenate([PLATE, PLATE * 1.003])
    for position in (-0.4, 0.4):
        gong = modes(ring * (1 + rng.normal(0, 0.002, len(ring))), rng.uniform(0.3, 1, len(ring)) / (ring / ring[0]) ** 0.4,
                     3.2 / (ring / ring[0]) ** 0.5, n - int(strike * SAMPLE_RATE), SAMPLE_RATE, rng)
        gong[:96] *= np.linspace(0, 1, 96)
        _panned(out, gong, int(strike * SAMPLE_RATE), position, 0.9)
    shimmer = np.clip((t / strike) ** 3 * (t < strike), 0, 1).astype(np.float32)
    out += np.stack([moving_noise(rng, n, SAMPLE_RATE, 1500 + 5000 * shimmer, 0.5) * shimmer * 0.35 for _ in range(2)])
    return _finish(rng, out, 1.8, 0.22, 0.5)


def bowed_drone(seed: int = 42) -> Array:
    """A low bowed body whose upper partials swell one after another: 5.4 s, `[2, samples]`."""
    rng, n = np.random.default_rng(seed), int(5.4 * SAMPLE_RATE)
    t = np.arange(n) / SAMPLE_RATE
    out, f0 = np.zeros((2, n), np.float32), 55.0
    drift = 1 + slow_curve(rng, n, 5, -0.002, 0.002)
    for k in range(1, 34):
        centre = 0.6 + 3.4 * ((k * 0.381966) % 1)  # golden-ratio order: neighbours swell far apart in time
        bloom = 0.18 + np.exp(-0.5 * ((t - centre) / (0.45 + 0.5 * rng.random())) ** 2)
        detune = 1 + 0.0006 * k * rng.normal(0, 1)
        for channel in range(2):
            phase = 2 * np.pi * np.cumsum(f0 * k * detune * drift * (1 + (channel - 0.5) * 0.0008)) / SAMPLE_RATE
            flutter = 1 + 0.12 * np.sin(2 * np.pi * (0.7 + 0.13 * k) * t + rng.uniform(0, 6))
            out[channel] += (np.sin(phase + rng.uniform(0, 6)) * bloom * flutter / k**0.85).astype(np.float32)
    bow = coloured_noise(rng, n, SAMPLE_RATE, 300, 5000, -3) * slow_curve(rng, n, 40, 0.3, 1)
    strength = (np.clip(t / 1.6, 0, 1) * np.clip((5.4 - t) / 1.8, 0, 1)) ** 1.3
    out = (out / out.std() + 0.05 * bow) * strength.astype(np.float32)
    return _finish(rng, out.astype(np.float32), 2.6, 0.25, 0.4)


CLIPS = {"granular_metal": granular_metal, "bowed_drone": bowed_drone}


def render(folder: Path) -> list[Path]:
    """Write all clips as FLAC into a folder and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, make in CLIPS.items():
        paths.append(folder / f"{name}.flac")
        soundfile.write(paths[-1], make().T, SAMPLE_RATE, subtype="PCM_24")
    return paths


if __name__ == "__main__":
    for written in render(Path(sys.argv[1])):
        print(written)
