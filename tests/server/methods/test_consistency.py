# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
import torch

from server.audio import Clip
from server.errors import InvalidInput, InvalidOption
from server.methods import consistency
from server.methods.griffin_lim import spectrum

RATE = 16000


def tones(*hz: float, seconds: float = 1.0) -> Clip:
    """Stereo, the right channel a quarter turn behind."""
    time_s = np.arange(round(RATE * seconds)) / RATE
    return Clip(0.2 * sum(np.sin(2 * np.pi * f * time_s + np.array([[0.0], [np.pi / 2]])) for f in hz), RATE)


def noise(seed: int, scale: float = 0.3) -> Clip:
    return Clip(scale * np.random.default_rng(seed).standard_normal((2, RATE)), RATE)


def response_db(clip: Clip, low_hz: float, high_hz: float) -> float:
    power = np.square(np.abs(np.fft.rfft(clip.samples * np.hanning(clip.n_samples))))
    hz = np.fft.rfftfreq(clip.n_samples, 1 / clip.sample_rate)
    return 10 * np.log10(power[:, (hz >= low_hz) & (hz < high_hz)].sum())


def test_outside_the_gaps_every_bit_is_the_clip_s_own() -> None:
    clip, restored = noise(0), noise(1)
    filled = consistency.inpaint(clip, restored, [(0.3, 0.5), (0.0, 0.05), (0.45, 0.55), (0.9, 7.0)])
    gap = np.zeros(RATE, bool)
    for start, end in ((0.0, 0.05), (0.3, 0.55), (0.9, 1.0)):
        gap[round(start * RATE) : round(end * RATE)] = True
    assert filled.samples[:, ~gap].tobytes() == clip.samples[:, ~gap].tobytes()
    # past the crossfades, the gap is the restored sound and nothing else, but for its level
    for inside in (slice(5200, 8400), slice(0, 480)):  # nothing is known before a gap at the start
        ratio = filled.samples[:, inside] / restored.samples[:, inside]
        assert np.ptp(ratio) < 1e-6 and abs(ratio.mean() - 1.0) < 0.05


@pytest.mark.parametrize(("louder", "heard"), [(0.5, 1.0), (3.0, 1.0), (100.0, 100.0 * 10 ** (-12 / 20))])
def test_what_fills_a_gap_is_as_loud_as_what_is_around_it_as_far_as_that_is_believed(louder: float, heard: float) -> None:
    clip = tones(440, seconds=2.0)
    made = Clip(louder * tones(660, seconds=2.0).samples, RATE)
    inside = consistency.inpaint(clip, made, [(0.5, 1.5)]).samples[:, 9000:23000]
    assert np.sqrt(np.mean(inside**2)) == pytest.approx(heard * 0.2 / np.sqrt(2), rel=0.01)


def test_what_the_clip_holds_in_a_gap_is_never_heard() -> None:
    clip, restored = tones(440), tones(660)
    broken = Clip(clip.samples.copy(), RATE)
    broken.samples[:, 4800:8000] = 9.0
    one, other = (consistency.inpaint(given, restored, [(0.3, 0.5)]) for given in (clip, broken))
    assert np.array_equal(one.samples, other.samples)


def test_a_gap_in_a_tone_is_joined_without_a_jump() -> None:
    clip = tones(440)
    filled = consistency.inpaint(clip, Clip(-clip.samples, RATE), [(0.3, 0.5)])
    # the restored tone is out of phase: without the continued one there would be a jump of twice the amplitude
    assert np.abs(np.diff(filled.samples)).max() < 1.3 * np.abs(np.diff(clip.samples)).max()


@pytest.mark.parametrize(("gaps", "says"), [([(1.5, 2.0)], "1.000 s long"), ([(0.2, 0.20001)], "holds nothing"),
                                            ([(0.0, 0.6), (0.5, 1.0)], "whole clip")])
def test_gaps_that_cannot_be_filled_are_refused(gaps, says) -> None:
    with pytest.raises(InvalidOption, match=says):
        consistency.inpaint(noise(0), noise(1), gaps)


def test_below_the_cutoff_the_clip_above_it_the_restored_one() -> None:
    clip, restored = noise(0), noise(1)
    made = consistency.super_resolution(clip, restored, 3000)
    difference = Clip(made.samples - clip.samples, RATE)
    assert response_db(difference, 20, 3000) < response_db(clip, 20, 3000) - 39  # 0.1 dB is -39 dB of error
    difference = Clip(made.samples - restored.samples, RATE)
    assert response_db(difference, 3150, 8000) < response_db(restored, 3150, 8000) - 39
    for hz in (100, 1000, 2950):
        kept = consistency.super_resolution(tones(hz), tones(7000), 3000)
        assert response_db(kept, hz - 20, hz + 20) == pytest.approx(response_db(tones(hz), hz - 20, hz + 20), abs=0.1)


@pytest.mark.parametrize("cutoff_hz", [0.0, 8000.0, -3.0])
def test_a_cutoff_outside_the_band_is_refused(cutoff_hz) -> None:
    with pytest.raises(InvalidOption, match="7920 Hz"):
        consistency.super_resolution(noise(0), noise(1), cutoff_hz)


def test_the_given_magnitude_is_honoured_within_the_stated_error() -> None:
    clip = tones(330, 990)
    magnitude = spectrum(torch.from_numpy(clip.samples), 1024, 256).abs()
    made, error_db = consistency.phase_retrieval(magnitude.numpy(), noise(3), n_iterations=30)
    real = torch.linalg.vector_norm(spectrum(torch.from_numpy(made.samples), 1024, 256).abs() - magnitude)
    assert error_db == pytest.approx(20 * np.log10(float(real / torch.linalg.vector_norm(magnitude))), abs=1e-3)
    assert error_db < -12 and made.samples.shape == clip.samples.shape
    _, at_once = consistency.phase_retrieval(magnitude.numpy(), clip, n_iterations=0)
    assert at_once < -60
    _, never_worse = consistency.phase_retrieval(magnitude.numpy(), clip, n_iterations=3)
    assert never_worse <= at_once


def test_magnitudes_are_taken_as_a_copy_that_torch_may_write_to() -> None:
    clip = tones(330)
    magnitude = np.ascontiguousarray(spectrum(torch.from_numpy(clip.samples), 1024, 256).abs().numpy())  # as a file has it
    consistency._checked_magnitude(magnitude, clip, 1024, 256).zero_()
    assert magnitude.any()


@pytest.mark.parametrize("broken", [np.ones((2, 500, 63)), np.full((513, 63), -1.0), np.zeros((513, 63)),
                                    np.full((513, 63), np.nan), np.full((513, 63), 1e300)])
def test_magnitudes_that_are_none_are_refused(broken) -> None:
    with pytest.raises(InvalidInput, match="magnitudes"):
        consistency.phase_retrieval(broken, noise(0))


def test_unclipped_samples_stay_and_clipped_ones_go_out_on_their_side() -> None:
    real = tones(200)
    level = np.float32(0.12)
    clip = Clip(real.samples.clip(-level, level), RATE)
    clipped = np.abs(clip.samples) >= level
    made = consistency.declip(clip, noise(1), clipped)
    assert made.samples[~clipped].tobytes() == clip.samples[~clipped].tobytes()
    assert (np.abs(made.samples[clipped]) >= level).all()
    assert np.array_equal(np.sign(made.samples[clipped]), np.sign(clip.samples[clipped]))
    # a restored sound with an offset of its own is joined to the edges of every run
    joined = consistency.declip(clip, Clip(real.samples + 0.05, RATE), clipped)
    np.testing.assert_allclose(joined.samples, real.samples, atol=1e-5)


def test_a_clip_that_is_clipped_everywhere_keeps_its_side() -> None:
    clip = Clip(np.sign(tones(200).samples + 1e-6), RATE)
    made = consistency.declip(clip, noise(2), np.ones(clip.samples.shape, bool))
    assert np.array_equal(np.sign(made.samples), clip.samples) and (np.abs(made.samples) >= 1).all()


def test_clips_that_are_not_alike_are_refused() -> None:
    short = tones(440, seconds=0.5)
    for made in (lambda: consistency.inpaint(noise(0), short, [(0.1, 0.2)]),
                 lambda: consistency.super_resolution(noise(0), short, 1000),
                 lambda: consistency.declip(noise(0), short, np.zeros((2, RATE), bool)),
                 lambda: consistency.declip(noise(0), noise(1), np.zeros((1, RATE), bool))):
        with pytest.raises(InvalidInput):
            made()
