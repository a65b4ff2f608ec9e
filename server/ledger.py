# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: every accepted job, what happened to it, what it needs and what it made. It is the queue and the truth.

All changes of a job go through `record`, which is one transaction: the pure `transition`, the row, the story, and with a
success its results. Nothing here touches files, sockets or processes.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from server.database import Database
from server.errors import StorageError
from server.jobs import Event, Failure, Job, State, transition

_LIVE = "('queued', 'running')"


@dataclass(frozen=True)
class ResultRow:
    """One result of a job as the ledger keeps it."""

    role: str
    name: str
    digest: str
    bytes: int
    media: str
    provenance: Mapping[str, Any]


class Ledger:
    """Jobs in a `Database`. `clock` gives Unix time in seconds."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        with database.transaction() as connection:
            connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'generation'")
        row = database.one("SELECT value FROM meta WHERE name = 'generation'")
        assert row is not None
        self.generation: int = row["value"]  # how often a server has been started on this folder

    def add(self, jobs: Sequence[Job], needs: Iterable[tuple[str, str]] = ()) -> list[Job]:
        """Accept jobs in one transaction; `needs` are (job id, id of the job it waits for). Returns them as stored.

        Raises:
            StorageError: nothing was accepted.
        """
        with self._database.transaction() as connection:
            for job in jobs:
                _insert(connection, job)
                _tell(connection, job, None, "submit", job.created, None)
            connection.executemany("INSERT OR IGNORE INTO needs VALUES (?, ?)", list(needs))
        return [self._known(job.id) for job in jobs]

    def get(self, job_id: str) -> Job | None:
        """The job of that id, if there is one."""
        row = self._database.one("SELECT * FROM job WHERE id = ?", (job_id,))
        return None if row is None else _job(row)

    def record(
        self,
        job_id: str,
        event: Event,
        *,
        incarnation: str | None = None,
        failure: Failure | None = None,
        results: Sequence[ResultRow] = (),
        note: str | None = None,
    ) -> Job:
        """Change a job and return it as it is now.

        Raises:
            InvalidTransition: see `jobs.transition`.
            StorageError: the change was not made.
        """
        before, at = self._known(job_id), self._clock()
        after = transition(before, event, at=at, incarnation=incarnation, failure=failure, story=_Story(self, job_id))
        with self._database.transaction(is_durable=event is not Event.CLAIM) as connection:  # a lost claim is made again
            _update(connection, after)
            _tell(connection, after, before.state, event, at, note or (failure.message if failure else None))
            if after.state is State.SUCCEEDED:
                _insert_results(connection, job_id, results, at)
        return after

    def adopt(self, job_id: str) -> None:
        """A person asks for a job that the server had submitted by itself: from now on it is theirs."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE job SET automatic = 0 WHERE id = ?", (job_id,))

    def mark_fetched(self, job_id: str) -> None:
        """The results are in safe hands and may be evicted."""
        with self._database.transaction(is_durable=False) as connection:
            connection.execute("UPDATE job SET fetched = 1 WHERE id = ?", (job_id,))

    def claim(self, incarnation: str) -> Job | None:
        """Give the next runnable job to a worker.

        Highest priority first, then the origin that was served longest ago, then order of acceptance; never a job that
        still needs another.
        """
        row = self._database.one(
            "SELECT id FROM job WHERE state = 'queued' AND NOT EXISTS (SELECT 1 FROM needs JOIN job AS needed "
            "ON needed.id = needs.needed_id WHERE needs.job_id = job.id AND needed.state != 'succeeded') "
            "ORDER BY priority DESC, (SELECT MAX(started) FROM job AS other WHERE other.origin = job.origin), number "
            "LIMIT 1")
        return None if row is None else self.record(row["id"], Event.CLAIM, incarnation=incarnation)

    def select(
        self, states: Sequence[State] | None = None, origin: str | None = None, limit: int = 50, before: int | None = None
    ) -> list[Job]:
        """Jobs, newest first: in these states, of this origin, accepted before number `before`."""
        wanted = list(states) if states is not None else list(State)
        marks = ",".join("?" * len(wanted))
        sql = (f"SELECT * FROM job WHERE state IN ({marks}) AND (? IS NULL OR origin = ?) AND (? IS NULL OR number < ?) "
               "ORDER BY number DESC LIMIT ?")
        return [_job(row) for row in self._database.all(sql, (*wanted, origin, origin, before, before, limit))]

    def in_state(self, *states: State) -> list[Job]:
        """All jobs in these states, oldest first."""
        return self.select(states, limit=-1)[::-1]

    def counts(self) -> dict[str, int]:
        """How many jobs there are in each state."""
        rows = self._database.all("SELECT state, COUNT(*) AS n FROM job GROUP BY state")
        return {state: 0 for state in State} | {row["state"]: row["n"] for row in rows}

    def queued(self, origin: str | None = None) -> int:
        """How many jobs wait, of one origin or of all."""
        row = self._database.one(
            "SELECT COUNT(*) AS n FROM job WHERE state = 'queued' AND (? IS NULL OR origin = ?)", (origin, origin))
        assert row is not None
        return row["n"]

    def position(self, job: Job) -> int | None:
        """1 for the job that is next by priority and age; None once it left the queue."""
        if job.state is not State.QUEUED:
            return None
        row = self._database.one(
            "SELECT COUNT(*) AS n FROM job WHERE state = 'queued' AND (priority > ? OR (priority = ? AND number <= ?))",
            (job.priority, job.priority, job.number))
        assert row is not None
        return row["n"]

    def needed_by(self, job_id: str) -> list[Job]:
        """Jobs that `job_id` waits for or waited for."""
        return self._joined("job.id = needs.needed_id WHERE needs.job_id = ?", job_id)

    def dependants(self, job_id: str) -> list[Job]:
        """Jobs not yet ended that wait for `job_id`."""
        return self._joined(f"job.id = needs.job_id WHERE needs.needed_id = ? AND job.state IN {_LIVE}", job_id)

    def _joined(self, where: str, job_id: str) -> list[Job]:
        return [_job(row) for row in self._database.all(f"SELECT job.* FROM needs JOIN job ON {where}", (job_id,))]

    def results(self, job_id: str) -> list[ResultRow]:
        """What a succeeded job made, in its order."""
        rows = self._database.all(
            "SELECT job_blob.*, blob.bytes FROM job_blob JOIN blob USING (digest) WHERE job_id = ? "
            "AND direction = 'result' ORDER BY ordinal", (job_id,))
        return [ResultRow(row["role"], row["name"], row["digest"], row["bytes"], row["media"],
                          json.loads(row["provenance"])) for row in rows]

    def story(self, job_id: str) -> list[str]:
        """Every change of a job, oldest first, one line each."""
        rows = self._database.all("SELECT * FROM event WHERE job_id = ? ORDER BY number", (job_id,))
        return [f"{row['event']}: {row['from_state'] or 'new'} -> {row['to_state']}, attempt {row['attempt']}"
                + (f" ({row['note']})" if row["note"] else "") for row in rows]

    def _known(self, job_id: str) -> Job:
        job = self.get(job_id)
        if job is None:
            raise StorageError(f"the ledger has no job {job_id}.", code="unknown_job", retryable=False)
        return job


class _Story(Sequence[str]):
    """A job's story, read only if it has to be told."""

    def __init__(self, ledger: Ledger, job_id: str) -> None:
        self._ledger, self._job_id = ledger, job_id

    def __len__(self) -> int:
        return len(self._ledger.story(self._job_id))

    def __getitem__(self, index: Any) -> Any:
        return self._ledger.story(self._job_id)[index]


def _insert(connection: sqlite3.Connection, job: Job) -> None:
    columns = _columns(job)
    marks = ",".join("?" * len(columns))
    connection.execute(f"INSERT INTO job ({','.join(columns)}) VALUES ({marks})", list(columns.values()))
    for ordinal, (role, digest) in enumerate(job.inputs.items()):
        connection.execute("INSERT INTO job_blob VALUES (?, ?, 'input', ?, ?, ?, '', '{}')",
                           (job.id, ordinal, digest, role, role))


def _update(connection: sqlite3.Connection, job: Job) -> None:
    columns = _columns(job)
    connection.execute(f"UPDATE job SET {','.join(f'{name} = ?' for name in columns)} WHERE id = ?",
                       [*columns.values(), job.id])


def _insert_results(connection: sqlite3.Connection, job_id: str, results: Sequence[ResultRow], at: float) -> None:
    for ordinal, row in enumerate(results):
        connection.execute(
            "INSERT INTO blob VALUES (?, ?, ?, ?, 0) ON CONFLICT (digest) DO UPDATE SET last_used = excluded.last_used, "
            "evicted = 0", (row.digest, row.bytes, at, at))
        connection.execute("INSERT INTO job_blob VALUES (?, ?, 'result', ?, ?, ?, ?, ?)",
                           (job_id, ordinal, row.digest, row.role, row.name, row.media, json.dumps(dict(row.provenance))))


def _tell(
    connection: sqlite3.Connection, job: Job, before: State | None, event: str, at: float, note: str | None
) -> None:
    connection.execute(
        "INSERT INTO event (job_id, at, event, from_state, to_state, attempt, note) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (job.id, at, event, before, job.state, job.attempt, note))


def _columns(job: Job) -> dict[str, Any]:
    return {
        "id": job.id, "kind": job.kind, "options": json.dumps(dict(job.options)), "inputs": json.dumps(dict(job.inputs)),
        "origin": job.origin, "request_digest": job.request_digest, "priority": job.priority, "state": job.state,
        "cancel_requested": int(job.cancel_requested), "attempt": job.attempt, "max_attempts": job.max_attempts,
        "incarnation": job.incarnation, "automatic": int(job.automatic), "fetched": int(job.fetched),
        "created": job.created, "started": job.started, "finished": job.finished,
        "failure": json.dumps(asdict(job.failure)) if job.failure else None,
    }


def _job(row: sqlite3.Row) -> Job:
    fields = dict(row)
    return Job(
        **fields | {
            "options": json.loads(row["options"]), "inputs": json.loads(row["inputs"]), "state": State(row["state"]),
            "cancel_requested": bool(row["cancel_requested"]), "automatic": bool(row["automatic"]),
            "fetched": bool(row["fetched"]), "failure": Failure(**json.loads(row["failure"])) if row["failure"] else None,
        })
