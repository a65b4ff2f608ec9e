# SPDX-License-Identifier: GPL-3.0-or-later
"""After a crash: bring ledger, files and palette back into agreement before anything begins. And check that they are."""

from __future__ import annotations

import hashlib
from collections import Counter

from server.blobs import BlobStore
from server.database import Database
from server.jobs import TERMINAL, Event, Failure, Job, State
from server.ledger import Ledger
from server.palette import Palette

_INTERRUPTED = Failure("worker_crashed", "the server ended while the job ran.", retryable=True)


def reconcile(ledger: Ledger, store: BlobStore, palette: Palette) -> dict[str, int]:
    """Put right what a kill left halfway; returns how many of what."""
    palette.clear_leavings()
    lost = set(store.reconcile())
    done: Counter[str] = Counter(lost_blobs=len(lost))
    for job in ledger.in_state(State.RUNNING):
        event = Event.CANCEL if job.cancel_requested else Event.LOSE
        ledger.record(job.id, event, failure=None if job.cancel_requested else _INTERRUPTED, note="server restarted")
        done["interrupted"] += 1
    for job in ledger.in_state(State.SUCCEEDED) if lost else []:
        gone = [row.name for row in ledger.results(job.id) if row.digest in lost]
        if gone and not job.fetched:
            ledger.record(job.id, Event.LOSE_RESULT, failure=Failure(
                "result_lost", f"the file of the result {gone[0]!r} has vanished from the store. "
                "Submit the job again.", True))
            done["lost_results"] += 1
    for job in ledger.in_state(State.QUEUED):
        failure = _hopeless(ledger, job, lost)
        if failure is not None:
            ledger.record(job.id, Event.FAIL, failure=failure)
            done["hopeless"] += 1
    return dict(done)


def _hopeless(ledger: Ledger, job: Job, lost: set[str]) -> Failure | None:
    """Why a queued job can never run."""
    for role, digest in job.inputs.items():
        if digest in lost:
            return Failure("invalid_input", f"the file of the input {role!r} has vanished from the store. "
                           "Upload it and submit the job again.")
    for needed in ledger.needed_by(job.id):
        if needed.state in (State.FAILED, State.CANCELLED):
            return Failure("prerequisite_failed", f"the {needed.kind} job {needed.id} that this one waited for is "
                           f"{needed.state}.")
    return None


def check(database: Database, store: BlobStore) -> list[str]:
    """Every way in which a stopped store disagrees with itself, one line each; empty if it is sound."""
    faults = []
    found = database.all("PRAGMA integrity_check")[0][0]
    if found != "ok":
        faults.append(f"ledger: {found}")
    for row in database.all("SELECT * FROM job"):
        faults += _check_job(database, dict(row))
    for row in database.all("SELECT * FROM blob WHERE evicted = 0"):
        path = store.path(row["digest"])
        if not path.exists():
            faults.append(f"blob {row['digest']}: no file")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != row["digest"]:
            faults.append(f"blob {row['digest']}: other content")
    return faults + store.strays()


def _check_job(database: Database, job: dict[str, object]) -> list[str]:
    faults, name = [], f"job {job['id']}"
    events = [row for row in database.all("SELECT * FROM event WHERE job_id = ? ORDER BY number", (job["id"],))]
    ends = [row for row in events if row["to_state"] in TERMINAL and row["event"] != Event.LOSE_RESULT]
    if not events:
        return [f"{name}: has no story"]
    if events[-1]["to_state"] != job["state"]:
        faults.append(f"{name}: is {job['state']}, but its story ends {events[-1]['to_state']}")
    if len(ends) != (job["state"] in TERMINAL):
        faults.append(f"{name}: {len(ends)} ends in state {job['state']}")
    if ends and events[-1] is not ends[-1] and events[-1]["event"] != Event.LOSE_RESULT:
        faults.append(f"{name}: something happened after its end")
    if int(str(job["attempt"])) > int(str(job["max_attempts"])):
        faults.append(f"{name}: {job['attempt']} attempts")
    return faults
