# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of the past, from the journal and from the placement records under the import root: found by words, by file or by
job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path

from bridge.imports import RESULTS_FOLDER
from bridge.journal import Journal
from bridge.placement import Placement, record_path
from server.errors import InvalidInput, RequestRefused

MOST_RESULTS = 2000
_LEAST_OF_ID = 6


@dataclass(frozen=True)
class Past:
    """One result.

    sound: its file. client: who asked for it, or "". where: where a host said that it lies, or "". is_ours: whether the
    journal vouches for the record; one that was found as a file may have been written by anybody.
    """

    record: Placement
    sound: Path
    client: str = ""
    where: str = ""
    is_ours: bool = False

    @property
    def words(self) -> str:
        """All that it can be found by."""
        record, options = self.record, self.record.provenance.get("options", {})
        told = [record.name, record.role, record.track, record.key, record.file, self.where, record.job_id,
                str(record.provenance.get("kind", "")), *(source.file for source in record.sources)]
        told += [str(options[name]) for name in ("prompt", "to", "stem", "backbone") if isinstance(options, dict) and
                 options.get(name)]
        return " ".join(told).casefold()


def of_journal(journal: Journal) -> dict[Path, Past]:
    """The results that the journal knows, by their sound files, newest first."""
    found: dict[Path, Past] = {}
    for entry in journal.recent(MOST_RESULTS):
        where = journal.whereabouts(entry.job_id)
        for placed in entry.placed:
            past = Past(Placement.model_validate(placed["placement"]), Path(placed["file"]).resolve(), entry.request.client,
                        where, is_ours=True)
            again = found.get(past.sound)  # what was put back stands there twice: the oldest entry is its own
            found[past.sound] = replace(past, where=again.where or where) if again else past
    return found


def past_results(root: Path, known: Mapping[Path, Past]) -> list[Past]:
    """Results that still have their sound file, those `known` and those under the import root; newest first.

    root: its folder `results` counts, or all of it where it has none, as a folder that a command wrote to.
    """
    found = dict(known)
    folder = root / RESULTS_FOLDER if (root / RESULTS_FOLDER).is_dir() else root
    records = sorted(folder.rglob("*.json"), key=_changed, reverse=True)
    for path in islice(records, MOST_RESULTS):
        past = read_past(path)
        if past is not None and past.sound not in found:
            found[past.sound] = past
    return sorted((past for past in found.values() if past.sound.is_file()), key=_created, reverse=True)[:MOST_RESULTS]


def read_past(path: Path) -> Past | None:
    """The result whose record or sound file `path` is; None where it is neither."""
    record_file = path if path.suffix == ".json" else record_path(path)
    try:
        record = Placement.model_validate_json(record_file.read_bytes())
        past = Past(record, record_file.resolve().with_name(Path(record.file).name))
        _created(past)
    except (OSError, ValueError, OverflowError):  # pydantic's error is a ValueError, too
        return None
    return past


def matching(results: Sequence[Past], words: str) -> list[Past]:
    """Those that every one of the words occurs in, in any case."""
    asked = words.casefold().split()
    return [past for past in results if all(word in past.words for word in asked)]


def of_job(results: Sequence[Past], name: str) -> list[Past]:
    """All results of the job of that id, or of the only one whose id begins so; none if `name` is no id of theirs.

    Raises:
        RequestRefused: several jobs begin so.
    """
    found = [past for past in results if len(name) >= _LEAST_OF_ID and past.record.job_id.startswith(name)]
    jobs = {past.record.job_id for past in found}
    if len(jobs) > 1:
        raise RequestRefused(f"{len(jobs)} jobs begin with {name!r}; give more of the id.", code="unknown_job",
                             retryable=False)
    return sorted(found, key=lambda past: past.sound.name)


def find_past(name: str, path: Path | None, root: Path, known: Mapping[Path, Past]) -> list[Past]:
    """The results that `name` means: the one whose file or record is `path`, or, without a path, all of a job.

    Raises:
        InvalidInput: the file is no result. RequestRefused: there is no such job (`unknown_job`).
    """
    if path is None:
        found = of_job(past_results(root, known), name)
        if not found:
            raise RequestRefused(f"{name!r} is neither a result's file nor the id of a job with results; `athanor history` "
                                 "lists what there is.", code="unknown_job", retryable=False)
        return found
    past = read_past(path)
    if past is None:
        raise InvalidInput(f"{name} is no result: there is no placement record (.json) beside it that can be read.")
    ours = known.get(past.sound)
    return [ours if ours is not None and ours.record == past.record else past]


def _created(past: Past) -> datetime:
    return datetime.fromisoformat(past.record.created).astimezone()  # one without a zone is taken as of here


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # deleted a moment ago
        return 0.0
