# SPDX-License-Identifier: GPL-3.0-or-later
"""Audacity: the selection out as a sound file, results in on new named tracks at its exact sample, nothing overwritten."""

from __future__ import annotations

import json
import re
import secrets
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from bridge.adapters.audacity_pipe import AudacityPipe
from bridge.placement import make_folder, write_text
from server.audio import read_header
from server.errors import InvalidInput, InvalidOption, RequestRefused

CONFIG, FORMER = "audacity.cfg", "athanor-former-module.txt"
UNDO_STEPS = 2
"""How many undos take one result out again."""
_MODULE = "mod-script-pipe"
_ENABLED = "1"
# Exported WAV files are 16 bit unless this preference says otherwise; the values are libsndfile's.
_ENCODING, _FLOAT, _PCM_16 = "FileFormats/ExportFormat_SF1_Type/WAV_10000", "6", "2"
_GLIMPSE_S = 0.01
_AGREES = Fraction(1, 100_000)  # of what Audacity tells in six digits


@dataclass(frozen=True)
class Selection:
    """What is selected. start, end: seconds, as Audacity tells them in six digits. tracks: numbers of the selected ones."""

    start: float
    end: float
    tracks: tuple[int, ...]
    name: str
    channels: int


@dataclass(frozen=True)
class SentClip:
    """A selection as a file: its name under the import root, and where it starts, in samples of `rate`."""

    file: str
    start_samples: int
    rate: int
    selected: Selection


def selection(pipe: AudacityPipe) -> Selection:
    """What is selected in Audacity.

    Raises:
        InvalidInput: no stretch of an audio track is.
    """
    tracks = pipe.info("Tracks")
    chosen = [number for number, track in enumerate(tracks) if track["kind"] == "wave" and track["selected"]]
    # There is no command that tells the selection; a label takes its place and length. Labels are kept in the order of
    # time, so it is not the last one where there are others.
    before = _labels(pipe)
    pipe.do("AddLabel")
    try:
        new = list((_labels(pipe) - before).elements())
    finally:
        pipe.do("Undo")
    start, end = new[0][:2] if new else (0.0, 0.0)
    if not chosen or end <= start:
        raise InvalidInput("nothing is selected in Audacity: drag over a stretch of an audio track and try again.")
    wide = any(tracks[number]["channels"] > 1 or tracks[number]["pan"] for number in chosen)
    return Selection(start, end, tuple(chosen), tracks[chosen[0]]["name"], 2 if wide else 1)


def send(pipe: AudacityPipe, root: Path) -> SentClip:
    """Write what is heard of the selection into the folder `clips` of the import root; 32-bit float, at the project's rate.

    The file holds exactly the samples that are nearest to the selection, and Audacity's own selection is set to them.
    Errors as `selection`.
    """
    chosen = selection(pipe)
    plain = re.sub(r"[^\w-]+", "_", chosen.name)[:40]
    name = f"clips/{plain}-{secrets.token_hex(4)}.wav"
    make_folder(root / "clips")
    encoding = _preference(pipe, _ENCODING, _PCM_16)
    pipe.do("SetPreference", Name=_ENCODING, Value=_FLOAT)
    try:
        rate = _export(pipe, root / name, chosen, chosen.start, chosen.start + _GLIMPSE_S)
        first, last = round(Fraction(chosen.start) * rate), round(Fraction(chosen.end) * rate)
        _export(pipe, root / name, chosen, first / rate, last / rate)
    finally:
        pipe.do("SetPreference", Name=_ENCODING, Value=encoding)
    length = read_header(root / name).n_samples
    if not 0 < length <= last - first:  # less is written where the track ends within the selection
        raise RequestRefused(f"Audacity exported {length} samples where {last - first} are selected; select a stretch in "
                             "which the track has sound.", code="host_refused")
    return SentClip(name, first, rate, chosen)


def select(pipe: AudacityPipe, chosen: Selection, start: float, end: float) -> None:
    """Select a stretch (seconds) of the chosen tracks."""
    for number, mode in zip(chosen.tracks, ("Set", *["Add"] * len(chosen.tracks)), strict=False):
        pipe.do("SelectTracks", Track=number, TrackCount=1, Mode=mode)
    pipe.do("SelectTime", Start=start, End=end)


def place(pipe: AudacityPipe, root: Path, result: dict[str, Any]) -> str:
    """Put one result (a `done` event) on a new track at its sample; the track's name.

    Raises:
        RequestRefused: Audacity does not take it, or it does not lie where it belongs; the track is then taken out again.
    """
    path, record = root / result["file"], json.loads((root / result["record"]).read_text(encoding="utf-8"))
    header = read_header(path)
    start = Fraction(int(result["start_exact"]), result["start_rate"])
    length = Fraction(header.n_samples, header.sample_rate)
    name = record.get("name") or result["role"]
    before = len(pipe.info("Tracks"))
    pipe.do("Import2", Filename=str(path))
    if len(pipe.info("Tracks")) != before + 1:
        raise RequestRefused(f"Audacity did not import {path} as one track.", code="host_refused")
    pipe.do("SetClip", At=float(length / 2), Start=float(start))
    pipe.do("SetTrack", Name=name)
    # Audacity's history does not keep what these two do, so that the next undo of anything would move the track back. What
    # changes nothing but is kept, keeps them.
    pipe.do("SelectTracks", Track=before, TrackCount=1, Mode="Set")
    pipe.do("SelectTime", Start=0.0, End=float(start + length) + 1)
    pipe.do("Trim")
    track = pipe.info("Tracks")[before]
    if abs(Fraction(track["start"]) - start) > _AGREES * max(start, 1):
        for _ in range(UNDO_STEPS):
            pipe.do("Undo")
        raise RequestRefused(f"Audacity put {path.name} at {track['start']} s, not at {float(start):.6f} s.",
                             code="host_refused")
    return name


def install(target: Path, undo: bool = False) -> list[Path]:
    """Let Audacity be steered from outside, or set that back to what it was. Audacity must not run meanwhile.

    Args:
        target: the folder that holds audacity.cfg.
        undo: set it back.

    Raises:
        InvalidOption: there is no audacity.cfg that knows the module; Audacity has not been started yet.
    """
    config, former = target / CONFIG, target / FORMER
    text = config.read_text(encoding="utf-8") if config.exists() else ""
    known = re.search(rf"(?ms)^\[Module\]$(?:(?!^\[).)*?^{_MODULE}=(\w*)$", text)
    if known is None:
        raise InvalidOption(f"{config} does not name {_MODULE}: start Audacity once, close it, and try again.")
    if undo:
        value = former.read_text(encoding="utf-8").strip() if former.exists() else known[1]
    else:
        value = _ENABLED
        if not former.exists():
            write_text(former, known[1] + "\n")
    write_text(config, text[:known.start(1)] + value + text[known.end(1):])
    if undo:
        former.unlink(missing_ok=True)
    return [config]


def _labels(pipe: AudacityPipe) -> Counter[tuple[Any, ...]]:
    """Every label: start, end (seconds) and text, and how often there is one like it."""
    return Counter(tuple(label) for _, labels in pipe.info("Labels") for label in labels)


def _preference(pipe: AudacityPipe, name: str, otherwise: str) -> str:
    try:
        return pipe.do("GetPreference", Name=name) or otherwise
    except RequestRefused:  # it is not set
        return otherwise


def _export(pipe: AudacityPipe, path: Path, chosen: Selection, start: float, end: float) -> int:
    """Write a stretch of the selected tracks; the sample rate of what came, Hz."""
    select(pipe, chosen, start, end)
    pipe.do("Export2", Filename=str(path), NumChannels=chosen.channels)
    return read_header(path).sample_rate
