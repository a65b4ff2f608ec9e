# SPDX-License-Identifier: GPL-3.0-or-later
"""Regions sound as they do in a host: the right part, the right speed, the right length, to the sample."""

from fractions import Fraction

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.regions import Region, is_whole_file, playback_rate_of, region_of, sounding, varispeed
from server.audio import Clip, read_header
from server.errors import InvalidInput, InvalidOption

RATES = st.fractions(Fraction(1, 64), Fraction(64), max_denominator=1000)


def ramp(path, n_samples=4800, channels=2, sample_rate=44100):
    """A file whose sample k is k / 10000 on the left and its negative on the right."""
    line = np.arange(n_samples) / 10000
    soundfile.write(path, np.stack([line, -line][:channels], axis=1), sample_rate, subtype="FLOAT")
    return path


@given(st.integers(1, 10**9), RATES)
def test_a_region_is_as_long_as_what_it_uses_at_its_rate(used, rate):
    length = Region(used_samples=used, playback_rate=str(rate)).length_samples
    assert length >= 1
    assert length == 1 or abs(length - used / rate) <= Fraction(1, 2)


@given(st.integers(1, 10**6), RATES)
def test_halves_are_rounded_up_and_the_unchanged_stays(used, rate):
    assert Region(used_samples=used).length_samples == used
    assert Region(used_samples=2 * used + 1, playback_rate="2").length_samples == used + 1


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 2), RATES)
def test_varispeed_is_exactly_as_long_as_asked(n_samples, channels, rate):
    clip = Clip(np.full((channels, n_samples), 0.1), 48000)
    length = Region(used_samples=n_samples, playback_rate=str(rate)).length_samples
    assert varispeed(clip, rate, length).samples.shape == (channels, length)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 4799), st.data())
def test_a_part_is_that_part_sample_for_sample(tmp_path_factory, offset, data):
    used = data.draw(st.integers(1, 4800 - offset))
    path = tmp_path_factory.getbasetemp() / "ramp.wav"
    if not path.exists():
        ramp(path)
    clip = sounding(path, Region(offset_samples=offset, used_samples=used))
    line = (np.arange(offset, offset + used) / 10000).astype(np.float32)
    assert clip.sample_rate == 44100
    assert np.array_equal(clip.samples, np.stack([line, -line]))


@pytest.mark.parametrize("rate", ["0.5", "1.1", "2", "1.23456789", "147/160"])
def test_varispeed_puts_every_sample_where_a_tape_would(rate):
    speed, sample_rate = float(Fraction(rate)), 48000
    tone = np.sin(2 * np.pi * 440 * np.arange(3 * sample_rate) / sample_rate)
    played = varispeed(Clip(tone[None], sample_rate), Fraction(rate), round(3 * sample_rate / Fraction(rate)))
    expected = np.sin(2 * np.pi * 440 * np.arange(played.n_samples) * speed / sample_rate)
    inner = slice(2000, -2000)  # the ends ring, as a cut does
    assert np.abs(played.samples[0, inner] - expected[inner]).max() < 1e-4


def test_a_stretched_region_keeps_its_pitch_and_has_its_exact_length(tmp_path):
    sample_rate = 48000
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(2 * sample_rate) / sample_rate)
    soundfile.write(tmp_path / "tone.wav", np.stack([tone, tone], axis=1), sample_rate, subtype="FLOAT")
    region = Region(offset_samples=100, used_samples=70001, playback_rate="1.3", preserve_pitch=True)
    clip = sounding(tmp_path / "tone.wav", region)
    assert (clip.channels, clip.n_samples, clip.sample_rate) == (2, 53847, sample_rate)
    spectrum = np.abs(np.fft.rfft(clip.samples[0] * np.hanning(clip.n_samples)))
    assert abs(spectrum.argmax() * sample_rate / clip.n_samples - 440) < 1.5
    short = sounding(tmp_path / "tone.wav", Region(used_samples=10, playback_rate="3", preserve_pitch=True))
    assert short.samples.shape == (2, 3)


def test_a_pair_of_mono_files_is_one_stereo_clip(tmp_path):
    left, right = ramp(tmp_path / "a%L.wav", channels=1), tmp_path / "a%R.wav"
    soundfile.write(right, -np.arange(4800) / 20000, 44100, subtype="FLOAT")
    region = region_of(left, "a%L.wav", {"offset": "100", "length": 200}, right, "a%R.wav")
    clip = sounding(left, region)
    assert clip.samples.shape == (2, 200)
    assert np.allclose(clip.samples[:, 0], [0.01, -0.005])


@pytest.mark.parametrize(("other", "reason"), [
    ({"channels": 2}, "two mono files"), ({"n_samples": 4799}, "length or rate"),
    ({"sample_rate": 48000}, "length or rate"),
])
def test_two_files_that_are_no_pair_are_refused(tmp_path, other, reason):
    left = ramp(tmp_path / "l.wav", channels=1)
    with pytest.raises(InvalidInput, match=reason):
        region_of(left, "l.wav", {}, ramp(tmp_path / "r.wav", **({"channels": 1} | other)), "r.wav")


@pytest.mark.parametrize(("given_", "offset", "used"), [
    ({}, 0, 4800), ({"offset": 4799}, 4799, 1), ({"offset_s": "0.05", "length_s": 0.01}, 2205, 441),
    ({"offset": "1000", "length": 3800.0}, 1000, 3800),
    ({"offset_s": 0.0500227, "length_s": "0.05885"}, 2206, 2594),  # a sample too far, by rounding
])
def test_offset_and_length_are_read_in_samples_or_seconds(tmp_path, given_, offset, used):
    region = region_of(ramp(tmp_path / "r.wav"), "r.wav", given_)
    assert (region.offset_samples, region.used_samples) == (offset, used)


@pytest.mark.parametrize(("given_", "error", "reason"), [
    ({"offset": 4800}, InvalidInput, "has 4800 samples"), ({"offset": 10, "length": 4791}, InvalidInput, "1 to 4790"),
    ({"length": 0}, InvalidInput, "1 to 4800"), ({"offset": 1, "offset_s": 1}, InvalidOption, "one of them"),
    ({"playback_rate": 0}, InvalidOption, "1/64 to 64"), ({"playback_rate": -1}, InvalidOption, "reversed"),
    ({"playback_rate": "fast"}, InvalidOption, "not a number"), ({"preserve_pitch": 2}, InvalidOption, "neither 1 nor 0"),
    ({"offset": 2.0**25}, InvalidOption, "send it as a text"),
    ({"playback_rate": float("nan")}, InvalidOption, "not a number"),
])
def test_what_is_no_region_is_refused(tmp_path, given_, error, reason):
    with pytest.raises(error, match=reason):
        region_of(ramp(tmp_path / "r.wav"), "r.wav", given_)


def test_a_region_that_is_its_whole_file_is_known(tmp_path):
    header = read_header(ramp(tmp_path / "r.wav"))
    assert is_whole_file(Region(used_samples=4800), header)
    assert is_whole_file(Region(used_samples=4800, playback_rate="1.0", preserve_pitch=True), header)
    assert not is_whole_file(Region(used_samples=4799), header)
    assert not is_whole_file(Region(used_samples=4800, playback_rate="1.01"), header)


def test_a_part_of_a_long_file_may_be_rendered_and_a_long_region_may_not(tmp_path):
    path = ramp(tmp_path / "r.wav")
    assert sounding(path, Region(used_samples=441), limit_s=0.01).n_samples == 441
    with pytest.raises(InvalidInput, match="^the region of r.wav is 0.1 s"):
        sounding(path, Region(used_samples=2205, playback_rate="0.5"), limit_s=0.05, name="r.wav")


def test_a_file_that_has_become_shorter_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="Was it changed"):
        sounding(ramp(tmp_path / "r.wav", n_samples=100), Region(used_samples=200))


def test_a_rate_keeps_its_digits():
    assert playback_rate_of(" 1.1 ") == "1.1"
    assert Region(used_samples=1, playback_rate=playback_rate_of("1.1")).rate == Fraction(11, 10)
