# SPDX-License-Identifier: GPL-3.0-or-later
"""Every request's way, on disk: accepted, submitted, rendered, processed, placed; so that a killed bridge goes on.

    pre -> submitted -> rendered -> post -> placed        and from each of the first four: failed, cancelled

A stage is written when it has been reached. The job id is chosen and written before anything is submitted, so going on
after a kill submits under the same id and never renders twice.
"""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from bridge.request import RenderRequest
from server.errors import RequestRefused, StorageError

# What each version of the file adds to the one before; a journal of any of them is brought up to the newest.
_VERSIONS = ("""
CREATE TABLE request (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id TEXT NOT NULL UNIQUE,
  client TEXT NOT NULL,
  request_id TEXT NOT NULL,
  request TEXT NOT NULL,
  stage TEXT NOT NULL,
  source TEXT,
  results TEXT NOT NULL DEFAULT '[]',
  placed TEXT NOT NULL DEFAULT '[]',
  error TEXT,
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  acknowledged INTEGER NOT NULL DEFAULT 0,
  created REAL NOT NULL
) STRICT;
CREATE INDEX request_of_client ON request (client, request_id, number);
CREATE INDEX request_stage ON request (stage);
CREATE TABLE story (job_id TEXT NOT NULL, at REAL NOT NULL, stage TEXT NOT NULL) STRICT;
CREATE TABLE client (name TEXT PRIMARY KEY, host TEXT NOT NULL, port INTEGER NOT NULL, seen REAL NOT NULL) STRICT;
""", """
CREATE TABLE selection (client TEXT NOT NULL, place INTEGER NOT NULL, request_id TEXT NOT NULL, asked TEXT NOT NULL,
  clip TEXT NOT NULL, PRIMARY KEY (client, place)) STRICT;
CREATE TABLE whereabouts (job_id TEXT PRIMARY KEY, told TEXT NOT NULL, at REAL NOT NULL) STRICT;
""", """
ALTER TABLE client RENAME TO client_of_udp;
CREATE TABLE client (name TEXT PRIMARY KEY, transport TEXT NOT NULL, address TEXT NOT NULL, wake TEXT NOT NULL,
  seen REAL NOT NULL) STRICT;
INSERT INTO client SELECT name, 'udp', host || ':' || port, '', seen FROM client_of_udp;
DROP TABLE client_of_udp;
""")
_KEPT_S = 30 * 86400.0


class Stage(StrEnum):
    """How far a request has come."""

    PRE = "pre"
    SUBMITTED = "submitted"
    RENDERED = "rendered"
    POST = "post"
    PLACED = "placed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self in (Stage.PLACED, Stage.FAILED, Stage.CANCELLED)


# Back from submitted to pre: the server's ledger was lost or replaced and does not know the job any more.
_NEXT = {
    Stage.PRE: {Stage.SUBMITTED, Stage.FAILED, Stage.CANCELLED},
    Stage.SUBMITTED: {Stage.PRE, Stage.RENDERED, Stage.FAILED, Stage.CANCELLED},
    Stage.RENDERED: {Stage.POST, Stage.FAILED, Stage.CANCELLED},
    Stage.POST: {Stage.PLACED, Stage.FAILED, Stage.CANCELLED},
}


@dataclass(frozen=True)
class Entry:
    """One request in the journal.

    source: what the clips said about themselves when they were read; written before the job is submitted.
    results: what the server gave (its result references, as JSON objects). placed: one object per result on disk, with
    `file`, `record` and the placement. error: code, message, retryable. created: Unix seconds.
    """

    job_id: str
    request: RenderRequest
    stage: Stage
    source: dict[str, Any] | None
    results: tuple[dict[str, Any], ...]
    placed: tuple[dict[str, Any], ...]
    error: dict[str, Any] | None
    cancel_requested: bool
    acknowledged: bool
    created: float


@dataclass(frozen=True)
class Selected:
    """A clip that a client has selected: its place from 1, the request that did so, that request as written, the clip."""

    place: int
    request_id: str
    asked: str
    clip: str


class Journal:
    """The journal in one SQLite file (WAL, every commit durable); `:memory:` for a command that waits for its job.

    Raises:
        StorageError: the file cannot be opened or written; the message names it.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = path
        with self._guarded():
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=5.0)
            self._connection.row_factory = sqlite3.Row
            self._prepare()

    def _prepare(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(_VERSIONS):
            raise StorageError(f"{self._path} was written by a newer Athanor; update this one.", retryable=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        for number, script in enumerate(_VERSIONS[version:], version + 1):
            self._connection.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")
        with self._transaction() as write:
            terminal = [stage.value for stage in Stage if stage.is_terminal]
            write.execute("DELETE FROM request WHERE created < ? AND stage IN (?, ?, ?)",
                          (time.time() - _KEPT_S, *terminal))
            for table in ("story", "whereabouts"):
                write.execute(f"DELETE FROM {table} WHERE job_id NOT IN (SELECT job_id FROM request)")

    def accept(self, request: RenderRequest, placed: list[dict[str, Any]] | None = None) -> tuple[Entry, bool]:
        """The entry of a request, and whether it is new: a repeat gets the entry that it already has.

        An id is in use until its end has been acknowledged; after that it may stand for another request. `placed`: results
        that lie in their places already, so that nothing is to be done but to announce them.

        Raises:
            RequestRefused: the client has used this request id for another render that it has not acknowledged.
        """
        known = self.in_use(request.client, request.request_id)
        if known is not None:
            if known.request.asked == request.asked:
                return known, False
            raise RequestRefused(f"request id {request.request_id!r} is in use for another render (job {known.job_id}); "
                                 "choose a new id, or acknowledge that job first.", code="conflict", retryable=False)
        job_id, stage = uuid.uuid4().hex, Stage.PRE if placed is None else Stage.PLACED
        with self._transaction() as write:
            write.execute(
                "INSERT INTO request (job_id, client, request_id, request, stage, placed, created) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)", (job_id, request.client, request.request_id, request.model_dump_json(),
                                                 stage, _json(placed or []), time.time()))
            write.execute("INSERT INTO story VALUES (?, ?, ?)", (job_id, time.time(), stage))
        return self.entry(job_id), True

    def advance(self, job_id: str, stage: Stage, *, results: list[dict[str, Any]] | None = None,
                placed: list[dict[str, Any]] | None = None, error: dict[str, Any] | None = None) -> Entry:
        """Write that a request has reached `stage`, with what it brought."""
        before = self.entry(job_id)
        assert stage in _NEXT.get(before.stage, set()), f"{job_id}: {before.stage} -> {stage}"
        with self._transaction() as write:
            write.execute(
                "UPDATE request SET stage = ?, results = coalesce(?, results), placed = coalesce(?, placed), error = ? "
                "WHERE job_id = ?",
                (stage, _json(results), _json(placed), _json(error), job_id))
            write.execute("INSERT INTO story VALUES (?, ?, ?)", (job_id, time.time(), stage))
        return self.entry(job_id)

    def describe(self, job_id: str, source: dict[str, Any]) -> Entry:
        """Write what the clips of a request say about themselves; its stage stays."""
        with self._transaction() as write:
            write.execute("UPDATE request SET source = ? WHERE job_id = ?", (_json(source), job_id))
        return self.entry(job_id)

    def entry(self, job_id: str) -> Entry:
        """The entry of a job; RequestRefused (`unknown_job`) if there is none."""
        rows = self._rows("SELECT * FROM request WHERE job_id = ?", job_id)
        if not rows:
            raise RequestRefused(f"no job {job_id!r} is known here.", code="unknown_job", retryable=False)
        return rows[0]

    def in_use(self, client: str, request_id: str) -> Entry | None:
        """A client's entry under a request id, unless it has ended and been acknowledged."""
        rows = self._rows("SELECT * FROM request WHERE client = ? AND request_id = ? AND acknowledged = 0 "
                          "ORDER BY number DESC LIMIT 1", client, request_id)
        return rows[0] if rows else None

    def find(self, client: str, name: str) -> Entry | None:
        """A client's newest entry under a request id, or the entry of a job id whoever asked for it."""
        rows = self._rows("SELECT * FROM request WHERE (client = ? AND request_id = ?) OR job_id = ? "
                          "ORDER BY number DESC LIMIT 1", client, name, name)
        return rows[0] if rows else None

    def unfinished(self) -> list[Entry]:
        """Entries to go on with, oldest first."""
        return self._rows("SELECT * FROM request WHERE stage IN (?, ?, ?, ?) ORDER BY number", *_NEXT)

    def unacknowledged(self, client: str | None = None) -> list[Entry]:
        """Finished entries that no client has acknowledged, oldest first."""
        return self._rows("SELECT * FROM request WHERE acknowledged = 0 AND stage NOT IN (?, ?, ?, ?) "
                          "AND client = coalesce(?, client) ORDER BY number", *_NEXT, client)

    def recent(self, limit: int) -> list[Entry]:
        """The newest entries, newest first."""
        return self._rows("SELECT * FROM request ORDER BY number DESC LIMIT ?", limit)

    def story(self, job_id: str) -> list[Stage]:
        """Every stage a job has been through, in order."""
        rows = self._connection.execute("SELECT stage FROM story WHERE job_id = ? ORDER BY rowid", (job_id,))
        return [Stage(row["stage"]) for row in rows]

    def request_cancel(self, job_id: str) -> None:
        """Write that a job should be cancelled, so that a killed bridge still does."""
        with self._transaction() as write:
            write.execute("UPDATE request SET cancel_requested = 1 WHERE job_id = ?", (job_id,))

    def acknowledge(self, job_id: str) -> None:
        """Write that the client has seen how a job ended."""
        with self._transaction() as write:
            write.execute("UPDATE request SET acknowledged = 1 WHERE job_id = ?", (job_id,))

    def remember_client(self, name: str, transport: str, address: str, wake: str) -> None:
        """Where a client's messages go from now on, and what wakes it then."""
        with self._transaction() as write:
            write.execute("INSERT INTO client VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET transport = "
                          "excluded.transport, address = excluded.address, wake = excluded.wake, seen = excluded.seen",
                          (name, transport, address, wake, time.time()))

    def select(self, client: str, request_id: str, asked: str, clip: str) -> int:
        """Add a clip (a text of the caller's) to a client's selection, once for each request id; its place, from 1."""
        with self._transaction() as write:
            known = write.execute("SELECT place FROM selection WHERE client = ? AND request_id = ?",
                                  (client, request_id)).fetchone()
            (last,) = write.execute("SELECT coalesce(max(place), 0) FROM selection WHERE client = ?", (client,)).fetchone()
            if known is None:
                write.execute("INSERT INTO selection VALUES (?, ?, ?, ?, ?)", (client, last + 1, request_id, asked, clip))
        return known["place"] if known else last + 1

    def selection(self, client: str) -> list[Selected]:
        """The clips that a client has selected, in their order."""
        rows = self._connection.execute("SELECT * FROM selection WHERE client = ? ORDER BY place", (client,))
        return [Selected(row["place"], row["request_id"], row["asked"], row["clip"]) for row in rows]

    def clear_selection(self, client: str) -> None:
        """Forget what a client has selected."""
        with self._transaction() as write:
            write.execute("DELETE FROM selection WHERE client = ?", (client,))

    def clear_selections_of_strangers(self) -> None:
        """Forget what clients that never said hello have selected: they are ports, which others may have by now."""
        with self._transaction() as write:
            write.execute("DELETE FROM selection WHERE client NOT IN (SELECT name FROM client)")

    def tell_whereabouts(self, job_id: str, told: str) -> None:
        """Write where a host says that it has put a job's results; newer words replace older ones."""
        with self._transaction() as write:
            write.execute("INSERT OR REPLACE INTO whereabouts VALUES (?, ?, ?)", (job_id, told, time.time()))

    def whereabouts(self, job_id: str) -> str:
        """Where a host says that it has put a job's results; "" if none has said so."""
        row = self._connection.execute("SELECT told FROM whereabouts WHERE job_id = ?", (job_id,)).fetchone()
        return row["told"] if row else ""

    def clients(self) -> dict[str, tuple[str, str, str]]:
        """Where each known client's messages go: name -> (transport, address, wake); who said hello last comes first."""
        rows = self._connection.execute("SELECT * FROM client ORDER BY seen DESC")
        return {row["name"]: (row["transport"], row["address"], row["wake"]) for row in rows}

    def seen(self) -> dict[str, float]:
        """When each known client last said hello: name -> Unix seconds."""
        return {row["name"]: row["seen"] for row in self._connection.execute("SELECT name, seen FROM client")}

    def close(self) -> None:
        self._connection.close()

    def _rows(self, query: str, *values: Any) -> list[Entry]:
        return [_entry(row) for row in self._connection.execute(query, values)]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._guarded():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StorageError(f"the journal {self._path} cannot be used ({error}). Free some space, or make its "
                               "folder writable.") from error


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        job_id=row["job_id"],
        request=RenderRequest.model_validate_json(row["request"]),
        stage=Stage(row["stage"]),
        source=json.loads(row["source"]) if row["source"] else None,
        results=tuple(json.loads(row["results"])),
        placed=tuple(json.loads(row["placed"])),
        error=json.loads(row["error"]) if row["error"] else None,
        cancel_requested=bool(row["cancel_requested"]),
        acknowledged=bool(row["acknowledged"]),
        created=row["created"],
    )


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value)
