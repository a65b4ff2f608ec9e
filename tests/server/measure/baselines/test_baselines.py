# SPDX-License-Identifier: GPL-3.0-or-later
"""Each classical method does on a synthetic sound what it is known for."""

from __future__ import annotations

import numpy as np
import pytest

from server.audio import Clip
from server.measure.baselines import (
    band_replication,
    declipping,
    gap_prediction,
    inverse_filter,
    nmf,
    short_time,
    spectral_subtraction,
    wpe,
)
from server.measure.si_sdr import si_sdr_db
from server.methods import room

RATE = 16000
TIME_S = np.arange(RATE) / RATE
RNG = np.random.default_rng(0)


def chord(n_samples: int = RATE) -> Clip:
    tones = sum(np.sin(2 * np.pi * hz * TIME_S + hz) / k for k, hz in enumerate((310.0, 470.0, 1240.0), 1))
    return Clip(0.3 * np.stack([tones, 0.5 * tones])[:, :n_samples], RATE)


def bursts(seed: int = 0) -> Clip:
    """Bursts of noise of 60 ms, four a second, for two seconds."""
    rng, samples = np.random.default_rng(seed), np.zeros(2 * RATE)
    for k in range(8):
        start = round((0.02 + 0.25 * k) * RATE)
        samples[start : start + 960] = 0.2 * rng.standard_normal(960)
    return Clip(samples[None], RATE)


def gain_db(made: Clip, given: Clip, real: Clip) -> float:
    return float((si_sdr_db(made.samples, real.samples) - si_sdr_db(given.samples, real.samples)).min())


def power_between_db(clip: Clip, low_hz: float, high_hz: float) -> float:
    power = np.square(np.abs(np.fft.rfft(clip.samples)))
    hz = np.fft.rfftfreq(clip.n_samples, 1 / clip.sample_rate)
    return float(10 * np.log10(power[:, (hz >= low_hz) & (hz < high_hz)].sum() + 1e-9))


def test_short_time_spectra_go_there_and_back() -> None:
    sound = RNG.standard_normal((2, 3001))
    there = short_time.analyse(sound, 256, 64)
    np.testing.assert_allclose(short_time.synthesise(there, 256, 64, 3001), sound, atol=1e-10)


def test_a_chord_goes_on_through_a_gap() -> None:
    real = chord()
    broken = Clip(real.samples.copy(), RATE)
    broken.samples[:, 8000:8800] = 0
    made = gap_prediction.fill(broken, [(0.5, 0.55)])
    assert np.array_equal(made.samples[:, :8000], real.samples[:, :8000])
    assert np.array_equal(made.samples[:, 8800:], real.samples[:, 8800:])
    assert (si_sdr_db(made.samples[:, 8000:8800], real.samples[:, 8000:8800]) > 20).all()
    broken.samples[:, 8000:8800] = 5
    assert np.array_equal(gap_prediction.fill(broken, [(0.5, 0.55)]).samples, made.samples)


def test_replication_fills_the_band_above_and_leaves_the_one_below() -> None:
    shaped = np.cumsum(RNG.standard_normal((1, RATE)), axis=1) * 0.02  # 6 dB less for every octave
    real = Clip(shaped - shaped.mean(), RATE)
    spectrum = np.fft.rfft(real.samples)
    spectrum[:, 3000:] = 0
    narrow = Clip(np.fft.irfft(spectrum, RATE), RATE)
    made = band_replication.widen(narrow, 3000)
    assert power_between_db(made, 100, 2900) == pytest.approx(power_between_db(narrow, 100, 2900), abs=0.1)
    for low, high in ((3500, 5000), (5000, 7500)):
        assert power_between_db(made, low, high) == pytest.approx(power_between_db(real, low, high), abs=4)


def test_a_known_room_is_undone() -> None:
    real, response = bursts(), room.parametric(0.3, RATE, seed=2)
    wet = room.reverberated(real, response)
    assert gain_db(inverse_filter.dereverberate(wet, response), wet, real) > 12


def test_an_unknown_room_gets_smaller() -> None:
    real = bursts()
    wet = room.reverberated(real, room.parametric(0.5, RATE, seed=2))
    made = wpe.dereverberate(wet)
    assert gain_db(made, wet, real) > 0.5
    late = np.zeros(2 * RATE, bool)
    for k in range(8):
        start = round((0.02 + 0.25 * k) * RATE) + 960 + round(0.04 * RATE)
        late[start : start + 1600] = True
    fell_db = 10 * np.log10(np.square(made.samples[:, late]).sum() / np.square(wet.samples[:, late]).sum())
    assert fell_db < -3
    dry = wpe.dereverberate(real)
    assert si_sdr_db(dry.samples, real.samples)[0] > 10, "a dry sound stays nearly as it was"


def test_a_steady_noise_is_subtracted() -> None:
    real = Clip(np.concatenate([np.zeros((2, RATE // 2)), chord().samples], axis=1), RATE)
    noisy = Clip(real.samples + 0.05 * RNG.standard_normal(real.samples.shape), RATE)
    assert gain_db(spectral_subtraction.denoise(noisy), noisy, real) > 6


def test_clipped_tops_come_back() -> None:
    real = chord()
    level = np.float32(0.3)
    given = Clip(real.samples.clip(-level, level), RATE)
    clipped = np.abs(given.samples) >= level
    made = declipping.declip(given, clipped)
    assert np.array_equal(made.samples[~clipped], given.samples[~clipped])
    loud = si_sdr_db(made.samples[0], real.samples[0]) - si_sdr_db(given.samples[0], real.samples[0])
    assert loud > 15


def test_two_sounds_of_different_timbre_come_apart() -> None:
    low = Clip(np.where(TIME_S % 0.5 < 0.3, 0.3 * np.sin(2 * np.pi * 220 * TIME_S), 0)[None], RATE)
    high = Clip((0.1 * np.diff(RNG.standard_normal(RATE + 1)) * (TIME_S % 0.4 < 0.15))[None], RATE)
    mixture = Clip(low.samples + high.samples, RATE)
    parts = nmf.separate(mixture, 2, seed=1)
    np.testing.assert_allclose(sum(part.samples for part in parts), mixture.samples, atol=1e-5)
    order = nmf.paired([part.samples for part in parts], [low.samples, high.samples])
    assert sorted(order) == [0, 1]
    for index, real in zip(order, (low, high), strict=True):
        assert gain_db(parts[index], mixture, real) > 8


def test_pairing_finds_the_nearest() -> None:
    a, b, c = RNG.standard_normal((3, 500))
    assert nmf.paired([c + 0.1 * a, -a, b], [a, b, c]) == [1, 2, 0]


def test_pairing_of_many_is_the_best_of_all_orders() -> None:
    sources = RNG.standard_normal((9, 300))
    order = [4, 0, 8, 2, 6, 1, 7, 3, 5]
    assert nmf.paired([sources[k] for k in np.argsort(order)], list(sources)) == order
    one, other = sources[0], sources[1]
    # Both estimates are nearest to the first target; one of them has to be the second.
    assert nmf.paired([one + 0.1 * other, one + 0.9 * other], [one, other]) == [0, 1]
    assert nmf.paired([one + 0.9 * other, one + 0.1 * other], [one, other]) == [1, 0]


def test_many_stems_come_apart_and_sum_to_the_mixture() -> None:
    tones = [0.1 * np.sin(2 * np.pi * 110 * (k + 1) * TIME_S) * (TIME_S % 0.5 < 0.04 * (k + 1)) for k in range(12)]
    mixture = Clip(np.sum(tones, axis=0)[None], RATE)
    parts = nmf.separate(mixture, 12, seed=1)
    assert len(parts) == 12 and all(np.abs(part.samples).max() > 1e-3 for part in parts), "no group is empty"
    np.testing.assert_allclose(sum(part.samples for part in parts), mixture.samples, atol=1e-5)
