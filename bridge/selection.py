# SPDX-License-Identifier: GPL-3.0-or-later
"""The clips that a client has selected on its timeline, and which of them is which input of a render. Pure, but for the
headers of the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from bridge.arguments import as_text
from bridge.imports import resolve
from bridge.intake import Ask
from bridge.musical_time import musical_time
from bridge.positions import sample_position, seconds_as_samples
from bridge.regions import Region, region_of
from server.audio import MAX_CHANNELS, read_header
from server.errors import InvalidInput, InvalidOption
from server.kinds import KINDS, find_kind
from server.kinds.base import nearest

MOST_CLIPS = 64
START_OPTIONS = ("start", "start_s", "start_rate", "start_beats")


class SelectedClip(BaseModel):
    """A region of a client's timeline.

    file: as the client named it; path: where that is. sample_rate: Hz, of the file. channels: as it sounds. start: those of
    `start`, `start_s`, `start_rate` and `start_beats` that came, as texts. role: the input that it is meant for, or "".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    path: Path
    region: Region
    sample_rate: int
    channels: int
    start: dict[str, str] = {}
    track: str = ""
    role: str = ""


def selected_clip(file: str, options: Mapping[str, Any], root: Path, allowed: Sequence[Path] = ()) -> SelectedClip:
    """The clip that a `clip/add` describes.

    Args:
        file: its name under the import root, or an absolute one in an `allowed` folder.
        options: of the message, as they came.

    Raises:
        InvalidInput, InvalidOption: a file, a region or an option that cannot be used.
    """
    path = resolve(root, file, allowed)
    named = as_text(options["right"]) if "right" in options else ""
    region = region_of(path, file, dict(options), resolve(root, named, allowed) if named else None, named)
    header, role = read_header(path, name=file), as_text(options.get("role", ""))
    channels = 2 if region.right else header.channels
    if channels > MAX_CHANNELS:
        raise InvalidInput(f"{file} has {channels} channels; at most {MAX_CHANNELS} are allowed. Fold it to stereo or mono "
                           "first.")
    if role:
        _check_role(role)
    return SelectedClip(file=file, path=path, region=region, sample_rate=header.sample_rate, channels=channels,
                        start=_checked_start(options), track=as_text(options.get("track", "")), role=role)


def with_selection(ask: Ask, clips: Sequence[SelectedClip]) -> Ask:
    """What is asked for, with the selected clips as its inputs; where the request says nothing of a start or a track, the
    first input's hold.

    Raises:
        InvalidInput: more clips than the kind takes, two for one role, or one for a role that it does not have.
    """
    by_role = assign(ask.kind, clips, tuple(ask.inputs))
    first = next((by_role[spec.role] for spec in find_kind(ask.kind).inputs if spec.role in by_role), None)
    said = ask.start is not None or ask.start_s is not None or first is None
    start = {} if said else {name: value for name, value in first.start.items() if getattr(ask, name) is None}
    return replace(
        ask,
        inputs={**ask.inputs, **{role: clip.path for role, clip in by_role.items()}},
        names={**ask.names, **{role: clip.file for role, clip in by_role.items()}},
        regions={role: clip.region for role, clip in by_role.items()},
        track=ask.track if ask.track is not None or first is None else first.track or None, **start)


def assign(kind: str, clips: Sequence[SelectedClip], taken: Sequence[str] = ()) -> dict[str, SelectedClip]:
    """Which clip is which input: by its role, and the others in the order of the kind's inputs. Errors as `with_selection`.

    taken: roles that the request itself fills.
    """
    hearing = [spec for spec in find_kind(kind).inputs if spec.is_audio and spec.role not in taken]
    roles = [spec.role for spec in hearing]
    found: dict[str, SelectedClip] = {}
    for clip in clips:
        if clip.role and clip.role not in roles:
            raise InvalidInput(f"{kind} takes no selected clip as {clip.role!r}{nearest(clip.role, roles)}")
        if clip.role in found:
            raise InvalidInput(f"two selected clips are meant as {clip.role!r}; clear the selection and select one.")
        if clip.role:
            found[clip.role] = clip
    free = [spec.role for spec in hearing if not spec.flag and spec.role not in found]
    others = [clip for clip in clips if not clip.role]
    if len(others) > len(free):
        raise InvalidInput(f"{len(clips)} clips are selected; {kind} takes {len(roles)} ({', '.join(roles) or 'none'}). "
                           "Clear the selection and select those.")
    return found | dict(zip(free, others, strict=False))


def _checked_start(options: Mapping[str, Any]) -> dict[str, str]:
    """The start's options as texts, once they are known to be positions."""
    if "start" in options and "start_s" in options:
        raise InvalidOption("start and start_s each say where the clip starts; give one of them.")
    for name in ("start", "start_rate"):
        if name in options:
            sample_position(options[name], name)
    if "start_s" in options:
        seconds_as_samples(options["start_s"], 1, "start_s")
    musical_time(start_beats=options.get("start_beats"))
    return {name: as_text(options[name]) for name in START_OPTIONS if name in options}


def _check_role(role: str) -> None:
    known = sorted({spec.role for kind in KINDS.values() for spec in kind.inputs if spec.is_audio})
    if role not in known:
        raise InvalidOption(f"role={role!r} is no input of any render{nearest(role, known)}")
