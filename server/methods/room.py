# SPDX-License-Identifier: GPL-3.0-or-later
"""Rooms as impulse responses: measured, made from a reverberation time, or guessed from a reverberant clip.

A response is float32 `[n]`: causal, the direct sound first with amplitude 1, decaying after it, and fixed. (DiffMusic's
equation 16 is a random walk that is drawn anew at every call; papers.md has why that cannot work.) numpy alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from server.audio import Clip, fold_mono, resample
from server.errors import InvalidInput, InvalidOption

MIN_RT60_S, MAX_RT60_S = 0.05, 10.0
_FRAME_S, _HOP_S = 0.032, 0.008
_BAND_EDGES_HZ = 200.0 * 2.0 ** np.arange(0, 7)
_LEAST_FALL_DB, _LEAST_FALL_S = 12.0, 0.05
_FASTEST_PART = 0.2
_DIRECT_BELOW_PEAK_DB, _TAIL_BELOW_ALL_DB = 20.0, 60.0


def parametric(rt60_s: float, sample_rate: int, seed: int = 0, direct_db: float = 0.0) -> np.ndarray:
    """A room made of its reverberation time: the direct sound, then Gaussian noise that decays by 60 dB in `rt60_s`.

    J. Moorer's model (About this reverberation business, 1979). The same arguments give the same room.

    Args:
        rt60_s: 0.05 to 10 s, and the length of the response.
        direct_db: energy of the direct sound over that of the tail, dB.

    Raises:
        InvalidOption: rt60_s out of range.
    """
    if not MIN_RT60_S <= rt60_s <= MAX_RT60_S:
        raise InvalidOption(f"rt60={rt60_s:g} is not between {MIN_RT60_S:g} and {MAX_RT60_S:g} seconds.")
    n = round(rt60_s * sample_rate)
    tail = np.random.default_rng(seed).standard_normal(n) * 10.0 ** (-3.0 * np.arange(n) / n)
    tail[0] = 0.0
    tail *= 10.0 ** (-direct_db / 20.0) / np.sqrt(np.square(tail).sum())
    tail[0] = 1.0
    return tail.astype(np.float32)


def measured(clip: Clip, sample_rate: int) -> np.ndarray:
    """A recorded impulse response, mono, at `sample_rate`, from its direct sound to where -60 dB of its energy are left.

    The direct sound is the first sample within 20 dB of the peak; what lies before it is the way from loudspeaker to
    microphone. Scaled to a peak of 1, so that a clip keeps its level.

    Raises:
        InvalidInput: the clip is silent.
    """
    if clip.is_silent:
        raise InvalidInput("The room's impulse response is silent. Give a recording of a clap, or what a sweep gave.")
    samples = resample(fold_mono(clip), sample_rate).samples[0]
    loud = np.abs(samples) / np.abs(samples).max()
    start = int(np.argmax(loud >= 10 ** (-_DIRECT_BELOW_PEAK_DB / 20)))
    left = np.square(loud[::-1].astype(np.float64)).cumsum()[::-1]
    stop = 1 + int(np.flatnonzero(left >= left[0] * 10 ** (-_TAIL_BELOW_ALL_DB / 10))[-1])
    return (samples[start:stop] / np.abs(samples).max()).astype(np.float32)


def reverberated(clip: Clip, response: np.ndarray) -> Clip:
    """The clip in a room: every channel convolved with the response `[n]` at its rate, cut to the clip's own length."""
    size = 1 << (clip.n_samples + len(response)).bit_length()
    product = np.fft.rfft(clip.samples.astype(np.float64), size) * np.fft.rfft(response.astype(np.float64), size)
    return replace(clip, samples=np.fft.irfft(product, size)[:, : clip.n_samples])


def estimate_rt60(clip: Clip) -> float:
    """Reverberation time in seconds, guessed from how fast the clip decays where it decays freely.

    In octave bands, runs of falling energy (of at least 12 dB) are fitted by lines. A sound in a room cannot fall faster
    than the room lets it, so the fastest fifth of those falls, weighted by their length, tells the room; a sound that
    itself dies away slowly (a bell, a pad) is taken for a larger room. 0.05 to 10 s.

    It is a guess: of 24 held-out recordings of 2 s, put into rooms of 0.4, 0.8 and 1.6 s, 5, 4 and 5 told nothing, and of
    the others 37, 50 and 53 % came within a factor of 1.25.

    Raises:
        InvalidInput: nothing in the clip decays far enough.
    """
    rates, spans = [], []
    for level_db in _band_levels_db(clip):
        for start, stop in _falls(level_db):
            time_s = np.arange(stop - start) * _HOP_S
            slope = np.polyfit(time_s, level_db[start:stop], 1)[0]
            rates.append(60.0 / -slope)
            spans.append(stop - start)
    if not rates:
        raise InvalidInput("No part of the clip decays far enough to tell the room by it. Give its reverberation time "
                           "(--rt60 0.8) or a recording of the room (--room ir.wav).")
    order = np.argsort(rates)
    weight = np.cumsum(np.array(spans)[order])
    chosen = np.searchsorted(weight, _FASTEST_PART * weight[-1])
    return float(np.clip(np.array(rates)[order][chosen], MIN_RT60_S, MAX_RT60_S))


def _band_levels_db(clip: Clip) -> list[np.ndarray]:
    """Level of each octave band over time, dB, a frame every 8 ms; bands and frames without sound left out by a floor."""
    rate = clip.sample_rate
    size, hop = round(_FRAME_S * rate), round(_HOP_S * rate)
    samples = np.pad(fold_mono(clip).samples[0].astype(np.float64), (0, size))
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(size))))
    hz = np.fft.rfftfreq(size, 1 / rate)
    levels = []
    for low, high in zip(_BAND_EDGES_HZ, _BAND_EDGES_HZ[1:], strict=False):
        band = power[:, (hz >= low) & (hz < high)].sum(axis=1)
        if high <= rate / 2 and band.max() > 0:
            smooth = np.convolve(band, np.ones(5) / 5, "same")
            levels.append(10 * np.log10(smooth + 1e-9 * smooth.max()))
    return levels


def _falls(level_db: np.ndarray) -> list[tuple[int, int]]:
    """Runs [start, stop) in which a level falls on and on: 12 dB or more in at least 50 ms, down to 50 dB under the top."""
    falling = (np.diff(level_db) < 0.5) & (level_db[1:] > level_db.max() - 50.0)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], falling.astype(int), [0]])))
    found = []
    for start, stop in zip(edges[::2], edges[1::2] + 1, strict=True):
        start += int(np.argmax(level_db[start:stop]))
        start += round(_FRAME_S / _HOP_S)  # the frame that still holds the end of the sound itself
        long_enough = (stop - start) * _HOP_S >= _LEAST_FALL_S
        if long_enough and level_db[start] - level_db[stop - 1] >= _LEAST_FALL_DB:
            found.append((start, stop))
    return found
