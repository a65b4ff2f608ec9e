# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of built-in effects is Pedalboard's own, and every value it allows gives finite sound."""

from __future__ import annotations

import numpy as np
import pedalboard
import pytest

from plugin_host.built_in import BUILT_INS, Choice, Number, check_built_in, run_built_in
from server.audio import Clip
from server.errors import InvalidOption, PluginFailed

LEFT_OUT = {"Chain", "Mix", "Plugin", "PluginContainer", "Pedalboard", "ExternalPlugin", "VST3Plugin",
            "AudioUnitPlugin", "IIRFilter", "Convolution", "_klass"}
ENUMERATIONS = {("Resample", "quality"), ("GSMFullRateCompressor", "quality")}


def properties(name: str) -> set[str]:
    effect = getattr(pedalboard, name)
    return {key for key, value in vars(effect).items()
            if isinstance(value, property) and (name, key) not in ENUMERATIONS}


def test_the_table_lists_every_effect_of_pedalboard_with_its_parameters():
    theirs = {name for name, value in vars(pedalboard).items()
              if isinstance(value, type) and issubclass(value, pedalboard.Plugin)} - LEFT_OUT
    assert set(BUILT_INS) == theirs
    for name, parameters in BUILT_INS.items():
        assert set(parameters) == properties(name), name


@pytest.mark.parametrize("name", sorted(BUILT_INS))
def test_every_effect_keeps_rate_channels_and_length(name, mono, stereo):
    for clip in (mono, stereo):
        assert run_built_in(name, {}, clip.samples, clip.sample_rate).shape == clip.samples.shape


@pytest.mark.parametrize("name", sorted(BUILT_INS))
def test_both_ends_of_every_range_are_taken_and_sound_stays_finite(name, mono):
    for parameter, allowed in BUILT_INS[name].items():
        values = (allowed.low, min(allowed.high, 23_999.0) if parameter.endswith("_hz") else allowed.high) \
            if isinstance(allowed, Number) else allowed.names if isinstance(allowed, Choice) else (True, False)
        for value in values:
            check_built_in(name, {parameter: value})
            output = run_built_in(name, {parameter: value}, mono.samples, mono.sample_rate)
            assert np.isfinite(output).all(), (parameter, value)


def test_parameters_reach_the_effect(mono):
    louder = run_built_in("Gain", {"gain_db": 6}, mono.samples, mono.sample_rate)
    np.testing.assert_allclose(louder, mono.samples * 10**0.3, rtol=1e-5)
    modes = [run_built_in("LadderFilter", {"mode": mode, "cutoff_hz": 500}, mono.samples, mono.sample_rate)
             for mode in ("LPF24", "HPF24")]
    assert not np.allclose(*modes)


def test_each_run_starts_from_silence(mono):
    first, second = (run_built_in("Reverb", {}, mono.samples, mono.sample_rate) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize(("name", "parameters", "message"), [
    ("Reverbb", {}, "no built-in effect 'Reverbb'; did you mean 'Reverb'"),
    ("Reverb", {"romsize": 1}, "Reverb has no parameter 'romsize'; did you mean 'room_size'"),
    ("Invert", {"mix": 1}, "Invert has no parameter 'mix'; it has none"),
    ("Reverb", {"room_size": 1.5}, "room_size = 1.5 is not allowed; give a number from 0 to 1"),
    ("Reverb", {"room_size": float("nan")}, "room_size = nan is not allowed"),
    ("Reverb", {"room_size": True}, "room_size = True is not allowed"),
    ("Gain", {"gain_db": "loud"}, "gain_db = 'loud' is not allowed"),
    ("LadderFilter", {"mode": "LPF"}, "give one of LPF12, HPF12"),
    ("BrickwallLimiter", {"true_peak": 1}, "give true or false"),
])
def test_what_is_not_known_is_refused_and_the_nearest_named(name, parameters, message):
    with pytest.raises(InvalidOption, match=message):
        check_built_in(name, parameters)


def test_a_cutoff_above_half_the_sample_rate_is_refused(mono):
    check_built_in("LowpassFilter", {"cutoff_frequency_hz": 30_000})
    with pytest.raises(InvalidOption, match="not below half the clip's sample rate"):
        run_built_in("LowpassFilter", {"cutoff_frequency_hz": 30_000}, mono.samples, mono.sample_rate)


def test_an_effect_that_refuses_the_clip_says_why():
    clip = Clip(np.zeros((1, 19_200)), 192_000)
    with pytest.raises(PluginFailed, match="MP3Compressor refuses the clip: MP3 only supports"):
        run_built_in("MP3Compressor", {}, clip.samples, clip.sample_rate)

