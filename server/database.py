# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQLite file under ledger and blobs: opened with care, one connection, one writer, every fault a StorageError."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from server.errors import StorageError

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
INSERT INTO meta VALUES ('generation', 0);
CREATE TABLE job (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  options TEXT NOT NULL,
  inputs TEXT NOT NULL,
  origin TEXT NOT NULL,
  request_digest TEXT NOT NULL,
  priority INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  cancel_requested INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  max_attempts INTEGER NOT NULL,
  incarnation TEXT,
  automatic INTEGER NOT NULL,
  fetched INTEGER NOT NULL,
  created REAL NOT NULL,
  started REAL,
  finished REAL,
  failure TEXT
) STRICT;
CREATE INDEX job_state ON job (state, priority DESC, number);
CREATE INDEX job_origin ON job (origin, started);
CREATE TABLE event (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id TEXT NOT NULL REFERENCES job (id),
  at REAL NOT NULL,
  event TEXT NOT NULL,
  from_state TEXT,
  to_state TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  note TEXT
) STRICT;
CREATE INDEX event_job ON event (job_id, number);
CREATE TABLE needs (
  job_id TEXT NOT NULL REFERENCES job (id),
  needed_id TEXT NOT NULL REFERENCES job (id),
  PRIMARY KEY (job_id, needed_id)
) STRICT;
CREATE INDEX needs_needed ON needs (needed_id);
CREATE TABLE blob (
  digest TEXT PRIMARY KEY,
  bytes INTEGER NOT NULL,
  created REAL NOT NULL,
  last_used REAL NOT NULL,
  evicted INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE job_blob (
  job_id TEXT NOT NULL REFERENCES job (id),
  ordinal INTEGER NOT NULL,
  direction TEXT NOT NULL CHECK (direction IN ('input', 'result')),
  digest TEXT NOT NULL REFERENCES blob (digest),
  role TEXT NOT NULL,
  name TEXT NOT NULL,
  media TEXT NOT NULL,
  provenance TEXT NOT NULL,
  PRIMARY KEY (job_id, direction, ordinal)
) STRICT;
CREATE INDEX job_blob_digest ON job_blob (digest);
"""


class Database:
    """One connection to one file. Not for use from two threads."""

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises:
            StorageError: it is damaged, of a newer version, or cannot be written; the message names it.
        """
        self.path = path
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=5.0, cached_statements=256)
        except sqlite3.Error as error:
            raise _unwritable(path, error) from None
        self._connection.row_factory = sqlite3.Row
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        try:
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise StorageError(
                    f"{self.path} was written by a newer Athanor (ledger version {version}; this one reads up to "
                    f"{SCHEMA_VERSION}). Update Athanor, or choose another folder with --home.",
                    code="ledger_newer", retryable=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            found = self._connection.execute("PRAGMA quick_check").fetchone()[0]
            if found != "ok":
                raise _damaged(self.path, found)
            if version == 0:
                self._connection.executescript(
                    f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            raise _unwritable(self.path, error) from None
        except sqlite3.DatabaseError as error:
            raise _damaged(self.path, str(error)) from None

    @contextmanager
    def transaction(self, *, is_durable: bool = True) -> Iterator[sqlite3.Connection]:
        """All or nothing. StorageError if it could not be made; the connection can be used again afterwards.

        is_durable: wait for the disk. Without, a loss of power (not a crash of the process) may undo the last changes;
            for those whose loss costs nothing.
        """
        try:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError as error:
            raise StorageError(f"the ledger {self.path} could not be written ({error}): most likely the disk is full. "
                               "Free some space; nothing that was accepted is lost.") from None

    def all(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Rows of a query."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            raise StorageError(f"the ledger {self.path} could not be read ({error}).") from None

    def one(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        """The first row of a query, if any."""
        rows = self.all(sql, values)
        return rows[0] if rows else None

    def close(self) -> None:
        """Fold the write-ahead log into the file and close it."""
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError:  # a full disk: the log stays and is read at the next start
            pass
        finally:
            self._connection.close()


def _damaged(path: Path, found: str) -> StorageError:
    return StorageError(
        f"{path} is damaged ({found}). Move it away (with its -wal and -shm files) and start again: queued jobs and the "
        "history are lost, palette and presets are not; or restore it from a backup.",
        code="ledger_corrupt", retryable=False)


def _unwritable(path: Path, error: sqlite3.Error) -> StorageError:
    return StorageError(
        f"{path} cannot be opened for writing ({error}). Make its folder writable for this user and the disk not full, or "
        "choose another folder with --home.", code="storage_unwritable", retryable=False)
