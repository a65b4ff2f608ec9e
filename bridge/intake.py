# SPDX-License-Identifier: GPL-3.0-or-later
"""From what somebody asked for to a checked request: preset and options joined, chains found, clips looked at.

Everything that can be refused without rendering is refused here, before a job exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.positions import sample_position, seconds_as_samples
from bridge.request import RenderRequest, checked_options
from plugin_host import Chain, resolve_chain
from presets import Preset, load_chain
from presets import load as load_preset
from server.audio import MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, read_header
from server.errors import InvalidInput, InvalidOption
from server.kinds import find_kind

MAX_FILE_BYTES = 256 * 2**20
"""Of an input that is not audio."""


@dataclass(frozen=True)
class Ask:
    """What somebody asked for, not yet checked.

    inputs: role -> path. names: role -> the name to call it by. start, start_s, start_rate: as the OSC options of that
    name. preset, chain, pre: names, or paths where the asker may give paths.
    """

    kind: str
    inputs: Mapping[str, Path] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    preset: str | None = None
    chain: str | None = None
    pre: str | None = None
    start: Any = None
    start_s: Any = None
    start_rate: Any = None


@dataclass(frozen=True)
class Asker:
    """Who asks, under which id, and where the results shall go."""

    client: str
    request_id: str
    origin: str
    out: Path
    asked: str = ""


def prepare(ask: Ask, asker: Asker, home: Path | None = None) -> RenderRequest:
    """The request, checked. Reads presets (`home`: the data folder) and the clips' headers.

    Raises:
        InvalidOption: an unknown or impossible option, preset, chain or plugin; the nearest known name is given.
        InvalidInput: a clip that is missing, unreadable, too long or of too many channels.
    """
    preset = _preset(ask, home)
    given = {**(preset.options if preset else {}), **ask.options}
    options = checked_options(ask.kind, given, frozenset(ask.inputs))
    for role, path in ask.inputs.items():
        _check_clip(ask, role, path)
    return RenderRequest(
        client=asker.client, request_id=asker.request_id, origin=asker.origin, kind=ask.kind,
        inputs={role: path.resolve() for role, path in ask.inputs.items()},
        names={role: ask.names.get(role, path.name) for role, path in ask.inputs.items()},
        options=options,
        pre=_chain(ask.pre, preset.pre if preset else None, home),
        post=_chain(ask.chain, preset.post if preset else None, home),
        out=asker.out, asked=asker.asked, **_start(ask),
    )


def _preset(ask: Ask, home: Path | None) -> Preset | None:
    if ask.preset is None:
        return None
    preset = load_preset(ask.preset, home=home)
    if preset.kind != ask.kind:
        use = "give it as a chain" if preset.kind == "chain" else f"use it with {preset.kind}"
        raise InvalidOption(f"the preset {preset.name!r} is of kind {preset.kind!r}, not {ask.kind!r}; {use}.")
    return preset


def _chain(name: str | None, of_preset: Chain | None, home: Path | None) -> Chain | None:
    if name is not None:
        return load_chain(name, home=home)
    return None if of_preset is None else resolve_chain(of_preset)


def _check_clip(ask: Ask, role: str, path: Path) -> None:
    name = ask.names.get(role, str(path))
    if not find_kind(ask.kind).input(role).is_audio:
        _check_file(path, name)
        return
    header = read_header(path, name=name)
    limit_s = find_kind(ask.kind).max_input_s
    if header.channels > MAX_CHANNELS:
        raise InvalidInput(f"{name} has {header.channels} channels; at most {MAX_CHANNELS} are allowed. Fold it to stereo "
                           "or mono first.")
    if header.duration_s > limit_s:
        raise InvalidInput(f"{name} is {header.duration_s:.1f} s long; {ask.kind} takes at most {limit_s:g} s. Cut it.")


def _check_file(path: Path, name: str) -> None:
    if not path.is_file():
        raise InvalidInput(f"{name}: there is no such file. Check the name.")
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise InvalidInput(f"{name} has {size} bytes; at most {MAX_FILE_BYTES} are allowed.")


def _start(ask: Ask) -> dict[str, Any]:
    """The three fields of a request that say where it starts."""
    if ask.start is not None and ask.start_s is not None:
        raise InvalidOption("start and start_s each say where the clip starts; give one of them.")
    rate = 0 if ask.start_rate is None else sample_position(ask.start_rate, "start_rate")
    if rate and not MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE:
        raise InvalidOption(f"start_rate={rate} is outside {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz.")
    if ask.start_s is not None:
        seconds_as_samples(ask.start_s, rate or 1, "start_s")
        return {"start_s": str(ask.start_s), "start_rate": rate}
    samples = None if ask.start is None else sample_position(ask.start, "start")
    return {"start_samples": samples, "start_rate": rate}
