# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips damaged in known ways: what a restoration is given, what it should find, and what nothing and a classic make of it.

The rooms and noises are drawn with seeds that no method knows of; a room that `restore` makes up for itself is another one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import Any

import numpy as np
import torch

from server.audio import Clip
from server.measure.baselines import (
    band_replication,
    declipping,
    gap_prediction,
    inverse_filter,
    nmf,
    spectral_subtraction,
    wpe,
)
from server.measure.datasets.mixture import mixed
from server.measure.griffin_lim import random_phases
from server.methods import room
from server.methods.damage import clipped_samples
from server.methods.griffin_lim import griffin_lim, spectrum

CUTOFF_HZ, RT60_S, NOISE_DB, CLIP_SHARE = 4000.0, 0.8, 10.0, 0.25
N_FFT, HOP, GRIFFIN_LIM_ROUNDS = 1024, 256, 200
_FIRST_SEED = 1000


@dataclass(frozen=True)
class Sample:
    """A clean clip and the words that say what it is."""

    clip: Clip
    words: str


@dataclass(frozen=True)
class Damage:
    """One damaged clip.

    Attributes:
        real: what was there: one clip, or the stems.
        nothing: what there is without any method, as many clips.
        classical: makes what the baseline makes, as many clips.
        clips, options, files: of the job `restore`, beside the task; files are arrays, by role.
        excerpt: [start, stop) in samples that waveforms are compared in; None is all.
        unpaired: where `classical` is told which of its stems is which, these in every order: by itself it can only guess.
    """

    real: Sequence[Clip]
    nothing: Sequence[Clip]
    classical: Callable[[], Sequence[Clip]]
    clips: Mapping[str, Clip]
    options: Mapping[str, Any]
    files: Mapping[str, np.ndarray] = field(default_factory=dict)
    excerpt: tuple[int, int] | None = None
    unpaired: Callable[[], Sequence[Sequence[Clip]]] = tuple


def gap(seconds: float) -> Callable[[Sequence[Sample], int], Damage]:
    """A silent gap of so many seconds in the middle (at most half of the clip)."""

    def damage(samples: Sequence[Sample], number: int) -> Damage:
        clip = samples[number].clip
        length = min(round(seconds * clip.sample_rate), clip.n_samples // 2)
        start = (clip.n_samples - length) // 2
        broken = replace(clip, samples=clip.samples.copy())
        broken.samples[:, start : start + length] = 0.0
        span = (start / clip.sample_rate, (start + length) / clip.sample_rate)
        return Damage([clip], [broken], lambda: [gap_prediction.fill(broken, [span])], {"clip": broken},
                      {"gap": [span]}, excerpt=(start, start + length))

    return damage


def narrowed(samples: Sequence[Sample], number: int) -> Damage:
    """Nothing above 4 kHz (a quarter of the rate, if that is less): every frequency above it is gone."""
    clip = samples[number].clip
    cutoff_hz = min(CUTOFF_HZ, clip.sample_rate / 4)
    bands = np.fft.rfft(clip.samples.astype(np.float64))
    bands[:, np.fft.rfftfreq(clip.n_samples, 1 / clip.sample_rate) > cutoff_hz] = 0.0
    broken = replace(clip, samples=np.fft.irfft(bands, clip.n_samples))
    return Damage([clip], [broken], lambda: [band_replication.widen(broken, cutoff_hz)], {"clip": broken},
                  {"cutoff_hz": cutoff_hz})


def in_known_room(samples: Sequence[Sample], number: int) -> Damage:
    """In a room of 0.8 s whose impulse response is given."""
    clip, response, broken = _in_room(samples[number].clip, number)
    return Damage([clip], [broken], lambda: [inverse_filter.dereverberate(broken, response)],
                  {"clip": broken, "room": Clip(response[None], clip.sample_rate)}, {})


def in_unknown_room(samples: Sequence[Sample], number: int) -> Damage:
    """In the same room, of which nothing is said."""
    clip, _, broken = _in_room(samples[number].clip, number)
    return Damage([clip], [broken], lambda: [wpe.dereverberate(broken)], {"clip": broken}, {})


def _in_room(clip: Clip, number: int) -> tuple[Clip, np.ndarray, Clip]:
    response = room.parametric(RT60_S, clip.sample_rate, seed=_FIRST_SEED + number)
    return clip, response, room.reverberated(clip, response)


def without_phase(samples: Sequence[Sample], number: int) -> Damage:
    """Its magnitudes alone (Hann, 1024 samples, every 256); nothing is those with random phases."""
    clip = samples[number].clip
    magnitude = spectrum(torch.from_numpy(clip.samples), N_FFT, HOP).abs()

    def made(seed: int, rounds: int) -> Clip:
        *_, audio = griffin_lim(magnitude, random_phases(magnitude, seed), N_FFT, HOP, clip.n_samples, rounds)
        return replace(clip, samples=audio.numpy())

    broken = made(_FIRST_SEED + number, 0)
    return Damage([clip], [broken], lambda: [made(number, GRIFFIN_LIM_ROUNDS)], {"clip": broken},
                  {}, {"magnitude": magnitude.numpy()})


def summed(samples: Sequence[Sample], number: int) -> Damage:
    """With the next sample that has other words, at equal RMS; the words are told. The classic's stems are paired rightly,
    which it could not do itself."""
    one = samples[number]
    others = [*samples[number + 1 :], *samples[:number]]
    other = next((sample for sample in others if sample.words != one.words), others[0])
    mixture = mixed({"one": one.clip.samples, "other": other.clip.samples}, one.clip.sample_rate, one.words)
    real = list(mixture.stems.values())

    def found() -> Sequence[Clip]:
        return nmf.separate(mixture.clip, len(real), seed=number)

    def classical() -> Sequence[Clip]:
        stems = found()
        return [stems[k] for k in nmf.paired([clip.samples for clip in stems], [clip.samples for clip in real])]

    return Damage(real, [mixture.clip] * len(real), classical, {"clip": mixture.clip},
                  {"stem": [one.words, other.words]}, unpaired=lambda: list(permutations(found())))


def noisy(samples: Sequence[Sample], number: int) -> Damage:
    """Under a noise of 1/f power, 10 dB below it."""
    clip = samples[number].clip
    white = np.random.default_rng([_FIRST_SEED, number]).standard_normal(clip.samples.shape)
    bands = np.fft.rfft(white)
    hz = np.fft.rfftfreq(clip.n_samples, 1 / clip.sample_rate)
    noise = np.fft.irfft(bands / np.sqrt(np.maximum(hz, 50.0)), clip.n_samples)
    noise *= 10 ** (-NOISE_DB / 20) * _rms(clip.samples) / _rms(noise)
    broken = replace(clip, samples=clip.samples + noise)
    return Damage([clip], [broken], lambda: [spectral_subtraction.denoise(broken)], {"clip": broken}, {})


def clipped(samples: Sequence[Sample], number: int) -> Damage:
    """Cut off at a quarter of its peak."""
    clip = samples[number].clip
    level = np.float32(CLIP_SHARE * np.abs(clip.samples).max())
    broken = replace(clip, samples=clip.samples.clip(-level, level))
    mask = clipped_samples(broken, float(level))
    return Damage([clip], [broken], lambda: [declipping.declip(broken, mask)], {"clip": broken},
                  {"clip_level": float(level)})


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


@dataclass(frozen=True)
class Trial:
    """One row of the table: the task of `restore`, how a clip is damaged for it, and the name of the classical method."""

    task: str
    damage: Callable[[Sequence[Sample], int], Damage]
    classical: str


TRIALS: Mapping[str, Trial] = {
    "inpaint 50 ms": Trial("inpaint", gap(0.05), "linear prediction"),
    "inpaint 200 ms": Trial("inpaint", gap(0.2), "linear prediction"),
    "inpaint 1000 ms": Trial("inpaint", gap(1.0), "linear prediction"),
    "super-resolution": Trial("super_resolution", narrowed, "band replication"),
    "dereverb, known room": Trial("dereverb", in_known_room, "inverse filter"),
    "dereverb, blind": Trial("dereverb", in_unknown_room, "WPE"),
    "phase retrieval": Trial("phase_retrieval", without_phase, "Griffin-Lim"),
    "separate": Trial("separate", summed, "NMF, paired"),
    "denoise": Trial("denoise", noisy, "spectral subtraction"),
    "declip": Trial("declip", clipped, "AR interpolation"),
}
