# SPDX-License-Identifier: GPL-3.0-or-later
"""From what somebody asked for to a checked request: preset and options joined, chains found, clips looked at.

Everything that can be refused without rendering is refused here, before a job exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.lanes import lane
from bridge.musical_time import MusicalTime, bars_as_seconds, beats_as_seconds, in_words, musical_time
from bridge.positions import sample_position, seconds_as_samples
from bridge.regions import Region, is_whole_file
from bridge.request import RenderRequest, checked_options
from plugin_host import Chain, resolve_chain
from presets import Preset, load_chain
from presets import load as load_preset
from server.audio import MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, read_header
from server.errors import InvalidInput, InvalidOption
from server.kinds import find_kind

_LENGTH = "seconds"
MAX_FILE_BYTES = 256 * 2**20
"""Of an input that is not audio."""


@dataclass(frozen=True)
class Ask:
    """What somebody asked for, not yet checked.

    inputs: role -> path. names: role -> the name to call it by. regions: role -> the part of it that sounds. preset, chain,
    pre: names, or paths where the asker may give paths; a chain may be given itself. The rest as the OSC options of that
    name.
    """

    kind: str
    inputs: Mapping[str, Path] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    preset: str | None = None
    chain: str | Chain | None = None
    pre: str | Chain | None = None
    start: Any = None
    start_s: Any = None
    start_rate: Any = None
    start_beats: Any = None
    tempo: Any = None
    meter: Any = None
    key: Any = None
    bars: Any = None
    lane: Any = None
    track: Any = None
    regions: Mapping[str, Region] = field(default_factory=dict)


ASK_OPTIONS = ("preset", "chain", "pre", "start", "start_s", "start_rate", "start_beats", "tempo", "meter", "key", "bars",
               "lane", "track")
"""Fields of an `Ask` that every kind's request may set."""


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
    music = musical_time(ask.tempo, ask.meter, ask.key, ask.start_beats)
    given = _worded({**(preset.options if preset else {}), **ask.options, **_length(ask)}, music)
    options = checked_options(ask.kind, given, frozenset(ask.inputs))
    for role, path in ask.inputs.items():
        _check_clip(ask, role, path)
    return RenderRequest(
        client=asker.client, request_id=asker.request_id, origin=asker.origin, kind=ask.kind,
        inputs={role: ask.inputs[role].resolve() for role in _in_order(ask)},
        names={role: ask.names.get(role, ask.inputs[role].name) for role in _in_order(ask)},
        regions={role: region for role, region in ask.regions.items()
                 if not is_whole_file(region, read_header(ask.inputs[role]))},
        options=options,
        music=music,
        lane=lane("new_track" if ask.lane is None else str(ask.lane)), track="" if ask.track is None else str(ask.track),
        pre=_chain(ask.pre, preset.pre if preset else None, home),
        post=_chain(ask.chain, preset.post if preset else None, home),
        out=asker.out, asked=asker.asked, **_start(ask),
    )


def _in_order(ask: Ask) -> list[str]:
    """The roles that are filled, in the kind's order: the first one gives the start, whichever was named first."""
    return [spec.role for spec in find_kind(ask.kind).inputs if spec.role in ask.inputs]


def _preset(ask: Ask, home: Path | None) -> Preset | None:
    if ask.preset is None:
        return None
    preset = load_preset(ask.preset, home=home)
    if preset.kind != ask.kind:
        use = "give it as a chain" if preset.kind == "chain" else f"use it with {preset.kind}"
        raise InvalidOption(f"the preset {preset.name!r} is of kind {preset.kind!r}, not {ask.kind!r}; {use}.")
    return preset


def _chain(given: str | Chain | None, of_preset: Chain | None, home: Path | None) -> Chain | None:
    if isinstance(given, Chain):
        return resolve_chain(given)
    if given is not None:
        return load_chain(given, home=home)
    return None if of_preset is None else resolve_chain(of_preset)


def _check_clip(ask: Ask, role: str, path: Path) -> None:
    name = ask.names.get(role, str(path))
    if not find_kind(ask.kind).input(role).is_audio:
        _check_file(path, name)
        return
    header, region = read_header(path, name=name), ask.regions.get(role)
    limit_s = find_kind(ask.kind).max_input_s
    duration_s = region.length_samples / header.sample_rate if region else header.duration_s
    if header.channels > MAX_CHANNELS:
        raise InvalidInput(f"{name} has {header.channels} channels; at most {MAX_CHANNELS} are allowed. Fold it to stereo "
                           "or mono first.")
    if duration_s > limit_s:
        raise InvalidInput(f"{name} is {duration_s:.1f} s long; {ask.kind} takes at most {limit_s:g} s. Cut it.")


def _check_file(path: Path, name: str) -> None:
    if not path.is_file():
        raise InvalidInput(f"{name}: there is no such file. Check the name.")
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise InvalidInput(f"{name} has {size} bytes; at most {MAX_FILE_BYTES} are allowed.")


def _worded(options: dict[str, Any], music: MusicalTime) -> dict[str, Any]:
    prompt = options.get("prompt")
    return options | {"prompt": in_words(prompt, music)} if isinstance(prompt, str) else options


def _length(ask: Ask) -> dict[str, float]:
    """The option that bars say, where the kind has a length to say."""
    if ask.bars is None:
        return {}
    if _LENGTH not in find_kind(ask.kind).options.model_fields:
        raise InvalidOption(f"bars={ask.bars} says how long a result is, but a {ask.kind} result is as long as its clip.")
    if _LENGTH in ask.options:
        raise InvalidOption(f"bars and {_LENGTH} each say how long the result is; give one of them.")
    return {_LENGTH: float(bars_as_seconds(ask.bars, ask.tempo, ask.meter))}


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
    if ask.start is None and ask.start_beats is not None and ask.tempo is not None:
        return {"start_s": str(beats_as_seconds(ask.start_beats, ask.tempo)), "start_rate": rate}
    samples = None if ask.start is None else sample_position(ask.start, "start")
    return {"start_samples": samples, "start_rate": rate}
