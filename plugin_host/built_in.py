# SPDX-License-Identifier: GPL-3.0-or-later
"""The effects that come with Pedalboard: their names, their parameters with ranges, and how one is run.

The ranges are ours: Pedalboard lets some values through that make a filter blow up or an echo grow without end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from server.errors import InvalidOption, PluginFailed
from server.kinds.base import nearest


@dataclass(frozen=True)
class Number:
    """A parameter that is a number from `low` to `high`; the unit is in its name."""

    low: float
    high: float


@dataclass(frozen=True)
class Choice:
    """A parameter that is one of `names`, the members of an enumeration nested in the plugin's class."""

    enumeration: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Switch:
    """A parameter that is true or false."""


Parameter = Number | Choice | Switch

_UNIT = Number(0.0, 1.0)
_FREQUENCY = Number(10.0, 96_000.0)
_GAIN = Number(-80.0, 60.0)
_MILLISECONDS = Number(0.0, 5_000.0)
_FILTER = {"cutoff_frequency_hz": _FREQUENCY, "gain_db": _GAIN, "q": Number(0.01, 100.0)}
_MODULATION = {"rate_hz": Number(0.0, 99.0), "depth": _UNIT, "feedback": Number(-0.99, 0.99), "mix": _UNIT}
_LADDER_MODES = Choice("Mode", ("LPF12", "HPF12", "BPF12", "LPF24", "HPF24", "BPF24"))

BUILT_INS: dict[str, dict[str, Parameter]] = {
    "Bitcrush": {"bit_depth": Number(1.0, 32.0)},
    "BrickwallLimiter": {"ceiling_db": Number(-60.0, 0.0), "release_ms": Number(1.0, 5_000.0),
                         "lookahead_ms": Number(0.1, 100.0), "true_peak": Switch()},
    "Chorus": {**_MODULATION, "centre_delay_ms": Number(1.0, 99.0)},
    "Clipping": {"threshold_db": Number(-80.0, 0.0)},
    "Compressor": {"threshold_db": Number(-80.0, 20.0), "ratio": Number(1.0, 100.0), "attack_ms": _MILLISECONDS,
                   "release_ms": _MILLISECONDS},
    "Delay": {"delay_seconds": Number(0.0, 30.0), "feedback": Number(0.0, 0.99), "mix": _UNIT},
    "Distortion": {"drive_db": Number(-20.0, 80.0)},
    "GSMFullRateCompressor": {},
    "Gain": {"gain_db": _GAIN},
    "HighShelfFilter": _FILTER,
    "HighpassFilter": {"cutoff_frequency_hz": _FREQUENCY},
    "Invert": {},
    "LadderFilter": {"mode": _LADDER_MODES, "cutoff_hz": _FREQUENCY, "resonance": _UNIT, "drive": Number(1.0, 10.0)},
    "Limiter": {"threshold_db": Number(-80.0, 20.0), "release_ms": Number(1.0, 5_000.0)},
    "LowShelfFilter": _FILTER,
    "LowpassFilter": {"cutoff_frequency_hz": _FREQUENCY},
    "MP3Compressor": {"vbr_quality": Number(0.0, 9.9)},
    "NoiseGate": {"threshold_db": Number(-120.0, 20.0), "ratio": Number(1.0, 100.0), "attack_ms": _MILLISECONDS,
                  "release_ms": _MILLISECONDS},
    "PeakFilter": _FILTER,
    "Phaser": {**_MODULATION, "centre_frequency_hz": _FREQUENCY},
    "PitchShift": {"semitones": Number(-72.0, 72.0)},
    "Resample": {"target_sample_rate": Number(100.0, 768_000.0)},
    "Reverb": {"room_size": _UNIT, "damping": _UNIT, "wet_level": _UNIT, "dry_level": _UNIT, "width": _UNIT,
               "freeze_mode": _UNIT},
}


def check_built_in(name: str, parameters: Mapping[str, Any]) -> None:
    """Refuse what the table does not know.

    Raises:
        InvalidOption: unknown effect or parameter (the nearest known one is named), or a value out of range.
    """
    if name not in BUILT_INS:
        raise InvalidOption(f"There is no built-in effect {name!r}{nearest(name, BUILT_INS)}")
    known = BUILT_INS[name]
    for parameter, value in parameters.items():
        if parameter not in known:
            hint = nearest(parameter, known) if known else "; it has none."
            raise InvalidOption(f"{name} has no parameter {parameter!r}{hint}")
        allowed = _refusal(known[parameter], value)
        if allowed:
            raise InvalidOption(f"{name}: {parameter} = {value!r} is not allowed; give {allowed}.")


def run_built_in(name: str, parameters: Mapping[str, Any], samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """The effect on a whole clip, from a fresh state.

    Args:
        name, parameters: checked by `check_built_in`.
        samples: float32 `[channels, time]`, one or two channels.
        sample_rate: Hz.

    Raises:
        InvalidOption: a cutoff that this sample rate cannot hold.
        PluginFailed: the effect refuses the clip.
    """
    import pedalboard

    for parameter, value in parameters.items():
        if BUILT_INS[name][parameter] is _FREQUENCY and value >= sample_rate / 2:
            raise InvalidOption(f"{name}: {parameter} = {value:g} is not below half the clip's sample rate "
                                f"({sample_rate / 2:g} Hz). Lower it.")
    effect_class = getattr(pedalboard, name)
    values = {parameter: _native(effect_class, BUILT_INS[name][parameter], value)
              for parameter, value in parameters.items()}
    try:
        return effect_class(**values)(samples, sample_rate)
    except ValueError as cause:
        raise PluginFailed(f"{name} refuses the clip: {cause}") from cause


def _native(effect_class: type, parameter: Parameter, value: Any) -> Any:
    if isinstance(parameter, Choice):
        return getattr(getattr(effect_class, parameter.enumeration), value)
    return float(value) if isinstance(parameter, Number) else value


def _refusal(parameter: Parameter, value: Any) -> str | None:
    """What is allowed instead, where `value` is not."""
    match parameter:
        case Switch():
            return None if isinstance(value, bool) else "true or false"
        case Choice(names=names):
            return None if value in names else "one of " + ", ".join(names)
        case Number(low, high):
            is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            return None if is_number and low <= value <= high else f"a number from {low:g} to {high:g}"
