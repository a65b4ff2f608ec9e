# SPDX-License-Identifier: GPL-3.0-or-later
"""The results that a person names: sound files with a placement record beside them, folders of them, or jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from bridge.home import journal_path
from bridge.journal import Journal
from bridge.placement import Placement, record_path
from server.audio import read_header
from server.errors import InvalidInput

_SHORTEST_JOB = 6
_RECENT = 10_000


def find_results(names: Sequence[str]) -> list[tuple[Path, Placement]]:
    """Every sound file that the names mean, once, with its record, in the order of the names.

    Args:
        names: each a sound file or its record, a folder, or a job id or its beginning (at least 6 characters).

    Raises:
        InvalidInput: a name that means nothing, a sound file without a record, or one that is not as its record says.
    """
    found: dict[Path, Placement] = {}
    for name in names:
        for sound in _sounds(name):
            found.setdefault(sound.resolve(), _checked(sound))
    return list(found.items())


def read_record(path: Path) -> Placement:
    """A placement record; InvalidInput naming the file if it is none."""
    try:
        return Placement.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a placement record that this version knows"
        raise InvalidInput(f"{path}: {reason}. Athanor writes one beside each result; keep them together.") from error


def _sounds(name: str) -> list[Path]:
    path = Path(name).expanduser()
    if path.is_dir():
        sounds = list(_in_folder(path))
        if not sounds:
            raise InvalidInput(f"the folder {name} holds no result with a placement record (NAME.json) beside it.")
        return sounds
    if path.is_file():
        return [path.with_name(read_record(path).file) if path.suffix == ".json" else path]
    placed = _of_job(name)
    if not placed:
        raise InvalidInput(f"{name!r} is no file, no folder and no job with results. Name a result's sound file, its "
                           "folder or its job id.")
    return placed


def _in_folder(folder: Path) -> Iterator[Path]:
    for record in sorted(folder.glob("*.json")):
        try:
            fields = json.loads(record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(fields, dict) and "schema_version" in fields and "start_samples" in fields:
            yield folder / str(fields["file"])


def _of_job(name: str) -> list[Path]:
    if len(name) < _SHORTEST_JOB or not journal_path().is_file():
        return []
    journal = Journal(journal_path())
    try:
        entries = [entry for entry in journal.recent(_RECENT) if entry.job_id.startswith(name)]
    finally:
        journal.close()
    if len(entries) > 1:
        raise InvalidInput(f"{len(entries)} jobs begin with {name!r}; give more of the id.")
    return [Path(placed["file"]) for entry in entries for placed in entry.placed]


def _checked(sound: Path) -> Placement:
    if not sound.is_file():
        raise InvalidInput(f"{sound} is not there; its placement record is. Put the sound file back beside it.")
    if not record_path(sound).is_file():
        raise InvalidInput(f"{sound} has no placement record beside it ({record_path(sound).name}), so its place is not "
                           "known. Name a result as Athanor wrote it.")
    record = read_record(record_path(sound))
    header = read_header(sound)
    if (header.sample_rate, header.n_samples, header.channels) != (record.sample_rate, record.length_samples,
                                                                   record.channels):
        raise InvalidInput(f"{sound} has {header.n_samples} samples at {header.sample_rate} Hz, its record says "
                           f"{record.length_samples} at {record.sample_rate} Hz: it was changed after the render.")
    return record
