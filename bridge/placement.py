# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a result belongs on the timeline: the placement record beside it, and the broadcast-wave stamp inside it.

The record is the one thing that every host adapter reads. Its JSON schema is `docs/placement-v1.schema.json`, printed
by `python -m bridge.placement`; a change that breaks a reader makes a new version.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bridge.ixml import ixml
from bridge.lanes import Lane, colour, lane_name
from bridge.musical_time import MusicalTime, seconds_as_beats
from server import __version__
from server.audio import Bext, Clip, write_clip
from server.errors import StorageError

ORIGINATOR = "Athanor"
StartSource = Literal["requested", "bext", "zero"]
_MOST_NAME = 80
_MOST_BYTES = 120


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceFile(_Record):
    """A file that a result was made from, as it was when it was read."""

    role: str = Field(description="The input's role: original, reference, clip.")
    file: str = Field(description="Its name as the client gave it.")
    path: str = Field("", description="Where it lay, absolute.")
    checksum: str = Field(pattern=r"^sha256:[0-9a-f]{64}$", description="Of the file's bytes.")


class SourceClip(SourceFile):
    """A clip that a result was made from, and the part of it that sounded."""

    sample_rate: int = Field(gt=0, description="Hz.")
    length_samples: int = Field(gt=0, description="Of the whole file, in samples of its rate.")
    channels: int = Field(gt=0, description="As it sounded: 2 for a pair of mono files.")
    offset_samples: int = Field(0, ge=0, description="Where the part that sounded begins, in samples of the file.")
    used_samples: int | None = Field(None, gt=0, description="How many samples of the file sounded; none: to its end.")
    playback_rate: float = Field(1.0, gt=0, description="2 is twice as fast: used_samples / playback_rate sounded.")
    preserve_pitch: bool = Field(False, description="Whether it was faster or slower at its own pitch.")
    right: SourceFile | None = Field(None, description="The second mono file of a stereo pair.")


class Placement(_Record):
    """Placement record, schema version 1: what one result is and where it starts."""

    schema_version: Literal[1] = 1
    file: str = Field(description="Name of the sound file, beside this record.")
    start_samples: int = Field(ge=0, description="Start on the timeline, in samples of start_rate; exact.")
    start_rate: int = Field(gt=0, description="Hz. The rate start_samples counts in: the source clip's.")
    start_seconds: float = Field(ge=0, description="The same start in seconds, rounded to a double.")
    start_source: StartSource = Field(description="The request said so, the source's BWF stamp did, or nobody: zero.")
    time_reference_samples: int = Field(
        ge=0, description="The same start in samples of the file's own sample_rate: what its BWF stamp says."
    )
    sample_rate: int = Field(gt=0, description="Hz, of the sound file.")
    length_samples: int = Field(gt=0, description="Length of the sound file in samples of sample_rate.")
    channels: int = Field(gt=0)
    start_beats: float | None = Field(
        None, ge=0, description="The same start in quarter notes, as the host said or, with a tempo alone, at that tempo.")
    tempo_bpm: float | None = Field(None, gt=0, description="Quarter notes a minute, as the host said.")
    meter: str = Field("", description="Metre, such as 4/4, as the host said.")
    key: str = Field("", description="Key, such as A minor, as the host said.")
    track: str = Field("", description="Name of the track that the source clip lies on, as the host said.")
    name: str = Field("", description="What to call the result's track or lane.")
    lane: Lane = Field("new_track", description="Where a host should put it: over the source only if that was asked for.")
    colour: str = Field("", pattern=r"^(#[0-9a-f]{6})?$", description="Of its track or clip, by its role.")
    role: str = Field(description="What the result is, for instance fused or generated.")
    job_id: str
    request_id: str
    created: str = Field(description="When the request came, ISO 8601 with time zone.")
    checksum: str = Field(pattern=r"^sha256:[0-9a-f]{64}$", description="Of the sound file's bytes.")
    sources: tuple[SourceClip, ...] = Field((), description="What it was made from; the first one gives the start.")
    files: tuple[SourceFile, ...] = Field((), description="Files that are not sounds and that it was made from, too.")
    provenance: dict[str, Any] = Field(description="Kind, options, model, seed, chains: what it takes to redo it.")


@dataclass(frozen=True)
class Start:
    """A position on the timeline: `samples` at `rate` Hz, and who said so."""

    samples: int
    rate: int
    source: StartSource

    @property
    def seconds(self) -> Fraction:
        return Fraction(self.samples, self.rate)

    def at(self, sample_rate: int) -> int:
        """The position in samples of another rate, rounded to the nearest, halves up."""
        return int(self.seconds * sample_rate + Fraction(1, 2))


def decide_start(requested: Start | None, bext_samples: int | None, rate: int) -> Start:
    """As requested, else as the source's stamp says, else zero; `rate` is the source clip's, in Hz."""
    if requested is not None:
        return requested
    if bext_samples is not None:
        return Start(bext_samples, rate, "bext")
    return Start(0, rate, "zero")


@dataclass(frozen=True)
class Origin:
    """What a result's record and stamp say beyond the sound itself.

    description: the words that it was made by. history: the source's coding history. result: the result's name, `fused_2`;
    words: what tells it from the others of its job.
    """

    job_id: str
    request_id: str
    created: datetime
    start: Start
    kind: str
    description: str = ""
    sources: tuple[SourceClip, ...] = ()
    files: tuple[SourceFile, ...] = ()
    history: str = ""
    music: MusicalTime = MusicalTime()
    track: str = ""
    lane: Lane = "new_track"
    result: str = ""
    words: str = ""

    @property
    def start_beats(self) -> float | None:
        """As the host said, else at its tempo, else unknown."""
        if self.music.start_beats is not None or self.music.tempo_bpm is None:
            return self.music.start_beats
        return seconds_as_beats(self.start.seconds, self.music.tempo_bpm)

    @property
    def made_of(self) -> str:
        """The track or else the clip that a result comes from, or the words, in that order."""
        return self.track or (Path(self.sources[0].file).stem if self.sources else self.description)


def place(clip: Clip, path: Path, role: str, origin: Origin, provenance: dict[str, Any]) -> Placement:
    """Write `clip` to `path` with its stamp, then its record beside it; a record that exists has a whole sound file.

    Raises:
        StorageError: the folder cannot be written or the disk is full.
    """
    make_folder(path.parent)
    name = lane_name(origin.made_of, origin.words, origin.result or role)
    write_clip(path, clip, stamp(clip, origin, provenance), _chunk(clip, path, name, origin, provenance))
    record = Placement(
        file=path.name,
        start_samples=origin.start.samples,
        start_rate=origin.start.rate,
        start_seconds=float(origin.start.seconds),
        start_source=origin.start.source,
        time_reference_samples=origin.start.at(clip.sample_rate),
        sample_rate=clip.sample_rate,
        length_samples=clip.n_samples,
        channels=clip.channels,
        start_beats=origin.start_beats,
        tempo_bpm=origin.music.tempo_bpm,
        meter=origin.music.meter,
        key=origin.music.key,
        track=origin.track,
        name=name,
        lane=origin.lane,
        colour=colour(role),
        role=role,
        job_id=origin.job_id,
        request_id=origin.request_id,
        created=origin.created.isoformat(timespec="seconds"),
        checksum=checksum(path),
        sources=origin.sources,
        files=origin.files,
        provenance=provenance,
    )
    write_text(record_path(path), record.model_dump_json(indent=2) + "\n")
    return record


def record_path(sound: Path) -> Path:
    """Where the record of a sound file lies."""
    return sound.with_suffix(".json")


def stamp(clip: Clip, origin: Origin, provenance: dict[str, Any]) -> Bext:
    """The bext chunk of a result: time reference at the clip's own rate, the job as reference, the source's history."""
    mode = "mono" if clip.channels == 1 else "stereo"
    model = provenance.get("backbone", {}).get("name", "")
    made_by = f"Athanor {__version__} {origin.kind} {model}".rstrip()
    line = f"A=PCM,F={clip.sample_rate},W=32,M={mode},T={made_by}\r\n"
    return Bext(
        description=origin.description or origin.kind,
        originator=ORIGINATOR,
        originator_reference=origin.job_id[:32],
        date=origin.created.strftime("%Y-%m-%d"),
        time=origin.created.strftime("%H:%M:%S"),
        time_reference_samples=origin.start.at(clip.sample_rate),
        coding_history=origin.history + line,
    )


def _chunk(clip: Clip, path: Path, name: str, origin: Origin, provenance: dict[str, Any]) -> str:
    """The iXML chunk of a result."""
    said = {"tempo_bpm": origin.music.tempo_bpm, "meter": origin.music.meter, "key": origin.music.key,
            "seed": provenance.get("seed"), "model": provenance.get("backbone", {}).get("name")}
    return ixml(project=ORIGINATOR, take=name, note=origin.description or origin.kind, family=origin.job_id, file=path.name,
                sample_rate=clip.sample_rate, channels=clip.channels,
                time_reference_samples=origin.start.at(clip.sample_rate),
                parents=tuple(source.file for source in origin.sources),
                user={"kind": origin.kind} | {key: value for key, value in said.items() if value not in (None, "")})


def result_stem(sources: list[str], name: str, job_id: str) -> str:
    """A file name, without ending, that says what a result is made of and is unique to its job."""
    made_of = "+".join(re.sub(r"[^\w-]+", "_", source).strip("_") for source in sources)[:_MOST_NAME]
    # A file name may have 255 bytes, and a character of another script takes up to four.
    made_of = made_of.encode("utf-8", "ignore")[:_MOST_BYTES].decode("utf-8", "ignore") or "athanor"
    return f"{made_of}-{re.sub(r'[^A-Za-z0-9_.-]+', '_', name)}-{job_id[:8]}"


def checksum(path: Path) -> str:
    """`sha256:` and the digest of a file's bytes."""
    with open(path, "rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def make_folder(folder: Path) -> None:
    """Create a folder and its parents; StorageError naming it where that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"the folder {folder} cannot be made: {error.strerror}. Choose one that can be "
                           "written.") from error


def write_text(path: Path, text: str) -> None:
    """Write a text so that `path` holds either all of it or what it held before."""
    part = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        try:
            with open(part, "x", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}. Free some space, or choose another "
                           "folder.") from error


if __name__ == "__main__":
    print(json.dumps(Placement.model_json_schema(), indent=2))
