# SPDX-License-Identifier: GPL-3.0-or-later
"""Files named by their SHA-256: inputs and results. Written aside, made durable, renamed, then entered in the ledger.

    blobs/ab/cdef...          complete blobs
    blobs/incoming/           uploads and results on their way; emptied at start

A crash leaves at worst a file that nobody refers to; `reconcile` removes it. Least recently used blobs make room for new
ones, but never an input of a live job nor a result that nobody has acknowledged.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from server.database import Database
from server.errors import InvalidInput, RequestRefused, StorageError
from server.settings import Settings

_PINNED = (
    "SELECT job_blob.digest FROM job_blob JOIN job ON job.id = job_blob.job_id WHERE "
    "(direction = 'input' AND state IN ('queued', 'running')) OR "
    "(direction = 'result' AND state = 'succeeded' AND fetched = 0)"
)


@dataclass(frozen=True)
class BlobStat:
    """Whether a blob is here, its size, and where an upload of it goes on."""

    present: bool
    bytes: int
    offset: int


class Upload:
    """A blob on its way in: bytes are appended in order and hashed as they come."""

    def __init__(self, path: Path, digest: str, total: int) -> None:
        self.path, self.digest, self.total = path, digest, total
        self.offset = 0
        self.touched = time.monotonic()
        self._hash = hashlib.sha256()
        self._file: BinaryIO = open(path, "wb", buffering=0)

    def append(self, offset: int, chunk: bytes) -> None:
        """Take what is new in `chunk`; a chunk that was taken before changes nothing.

        Raises:
            RequestRefused: `out_of_order`, bytes before it are missing.
            InvalidInput: it goes beyond the announced size.
        """
        self.touched = time.monotonic()
        if offset > self.offset:
            raise RequestRefused(f"blob {self.digest[:12]}: the next byte is {self.offset}, not {offset}. Ask blob.stat "
                                 "and go on from there.", code="out_of_order")
        if offset + len(chunk) > self.total:
            raise InvalidInput(f"blob {self.digest[:12]}: byte {offset + len(chunk)} of {self.total}.")
        new = memoryview(chunk)[self.offset - offset :]
        while new:
            written = self._file.write(new)
            self._hash.update(new[:written])
            self.offset += written
            new = new[written:]

    def seal(self) -> None:
        """Make a complete upload durable. Touches nothing but its own file, so it may run in a thread.

        Raises:
            InvalidInput: the bytes are not those that the digest names.
        """
        if self._hash.hexdigest() != self.digest:
            raise InvalidInput(f"the uploaded bytes have SHA-256 {self._hash.hexdigest()[:12]}..., not the announced "
                               f"{self.digest[:12]}.... Upload again.")
        os.fsync(self._file.fileno())
        self._file.close()

    def discard(self) -> None:
        """Give up: close and remove the file."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class BlobStore:
    """Complete blobs and uploads below one folder. Every full-disk fault is a StorageError."""

    def __init__(self, folder: Path, database: Database, settings: Settings) -> None:
        self._folder, self._database, self._settings = folder, database, settings
        self.incoming = folder / "incoming"
        self.incoming.mkdir(parents=True, exist_ok=True)
        self._uploads: dict[str, Upload] = {}
        self._used: dict[str, float] = {}

    def path(self, digest: str) -> Path:
        """Where a blob lies once it is complete."""
        return self._folder / digest[:2] / digest[2:]

    def size(self, digest: str) -> int | None:
        """Bytes of a complete blob; None if it is not here."""
        row = self._database.one("SELECT bytes FROM blob WHERE digest = ? AND evicted = 0", (digest,))
        return None if row is None else row["bytes"]

    def stat(self, digest: str) -> BlobStat:
        """What is here of a blob."""
        size = self.size(digest)
        if size is not None:
            return BlobStat(True, size, size)
        upload = self._uploads.get(digest)
        return BlobStat(False, 0, upload.offset if upload else 0)

    def receive(self, digest: str, offset: int, total: int, chunk: bytes) -> Upload:
        """Append a chunk; the caller seals and commits the upload once `offset` reached `total`.

        Raises:
            InvalidInput: too large.
            RequestRefused: `out_of_order`, or too many uploads are open.
            StorageError: no room.
        """
        upload = self._uploads.get(digest)
        if upload is None or upload.total != total:
            upload = self._begin(digest, total)
        with _full_disk(f"blob {digest[:12]}"):
            try:
                upload.append(offset, chunk)
            except OSError:
                self.abandon(upload)
                raise
        return upload

    def _begin(self, digest: str, total: int) -> Upload:
        limit = self._settings.blob_limit_bytes
        if total > limit:
            raise InvalidInput(f"the file has {total / 1e6:.0f} MB; at most {limit / 1e6:.0f} MB are taken. "
                               "Render a shorter clip.")
        if digest in self._uploads:
            self.abandon(self._uploads[digest])
        if len(self._uploads) >= self._settings.open_uploads:
            raise RequestRefused(f"{len(self._uploads)} uploads are open, which is the limit. Try again in a moment.")
        self.make_room(total)
        with _full_disk(f"blob {digest[:12]}"):
            self._uploads[digest] = Upload(self.incoming / f"{digest}.part", digest, total)
        return self._uploads[digest]

    def commit(self, upload: Upload) -> None:
        """Enter a sealed upload among the complete blobs."""
        self.adopt(upload.path, upload.digest)
        self.enter(upload.digest, upload.total)
        self._uploads.pop(upload.digest, None)

    def abandon(self, upload: Upload) -> None:
        """Forget an upload; its sender starts again."""
        self._uploads.pop(upload.digest, None)
        upload.discard()

    def abandon_idle(self) -> None:
        """Forget uploads that nobody has continued for a while."""
        oldest = time.monotonic() - self._settings.upload_idle_s
        for upload in [one for one in self._uploads.values() if one.touched < oldest]:
            self.abandon(upload)

    def adopt(self, file: Path, digest: str) -> None:
        """Move a durable file to its final name and make the name durable; the row is the caller's to write."""
        final = self.path(digest)
        with _full_disk(f"blob {digest[:12]}"):
            if not final.parent.exists():
                final.parent.mkdir()
                sync_folder(self._folder)
            os.replace(file, final)
            sync_folder(final.parent)

    def enter(self, digest: str, size: int) -> None:
        """Write the row of a blob whose file is in place.

        Accepting a job that uses it waits for the disk and takes this row along; until then its loss costs an upload.
        """
        now = time.time()
        with self._database.transaction(is_durable=False) as connection:
            connection.execute(
                "INSERT INTO blob VALUES (?, ?, ?, ?, 0) ON CONFLICT (digest) DO UPDATE SET "
                "last_used = excluded.last_used, evicted = 0", (digest, size, now, now))

    def read(self, digest: str, offset: int, length: int) -> tuple[bytes, int]:
        """(bytes from `offset`, total size).

        Raises:
            RequestRefused: `unknown_blob`, never here or evicted meanwhile.
        """
        size = self.size(digest)
        if size is None:
            raise RequestRefused(f"blob {digest[:12]}... is not here: never uploaded, or removed to make room. "
                                 "Upload it, or render again.", code="unknown_blob", retryable=False)
        self._used[digest] = time.time()
        try:
            with open(self.path(digest), "rb") as file:
                file.seek(min(offset, size))
                return file.read(length), size
        except OSError as error:
            raise StorageError(f"the file of blob {digest[:12]}... cannot be read ({error}).", code="result_lost",
                               retryable=False) from None

    def make_room(self, need: int) -> None:
        """Evict until `need` more bytes fit the store, and see that the disk keeps its floor.

        Raises:
            StorageError: `storage_full`.
        """
        self._flush_used()
        row = self._database.one("SELECT COALESCE(SUM(bytes), 0) AS total FROM blob WHERE evicted = 0")
        assert row is not None
        excess = row["total"] + need - self._settings.store_limit_bytes
        if excess > 0:
            excess -= self._evict(excess)
        if excess > 0:
            raise StorageError(f"the store in {self._folder} is full ({self._settings.store_limit_bytes / 1e9:.1f} GB) of "
                               "results that nobody has fetched and inputs of waiting jobs. Fetch or cancel some.")
        self.check_floor(need)

    def check_floor(self, need: int = 0) -> None:
        """StorageError if fewer bytes than the floor would stay free on the disk."""
        free, floor = shutil.disk_usage(self._folder).free, self._settings.free_floor_bytes
        if free - need < floor:
            raise StorageError(f"the disk of {self._folder} has {free / 1e9:.2f} GB free; {floor / 1e9:.2f} GB must stay "
                               "free. Free some space and try again.")

    def _evict(self, excess: int) -> int:
        """Remove least recently used blobs of at least `excess` bytes if there are as many; returns how many went."""
        rows = self._database.all(
            f"SELECT digest, bytes FROM blob WHERE evicted = 0 AND digest NOT IN ({_PINNED}) ORDER BY last_used")
        gone = 0
        for row in rows:
            if gone >= excess:
                break
            with self._database.transaction() as connection:
                connection.execute("UPDATE blob SET evicted = 1 WHERE digest = ?", (row["digest"],))
            self.path(row["digest"]).unlink(missing_ok=True)
            gone += row["bytes"]
        return gone

    def _flush_used(self) -> None:
        if self._used:
            with self._database.transaction(is_durable=False) as connection:
                connection.executemany("UPDATE blob SET last_used = ? WHERE digest = ?",
                                       [(at, digest) for digest, at in self._used.items()])
            self._used.clear()

    def clear_incoming(self, prefix: str = "") -> None:
        """Remove files on their way whose names begin so: the leavings of one attempt, or at start all of them."""
        for file in self.incoming.iterdir():
            if file.name.startswith(prefix):
                file.unlink(missing_ok=True)

    def reconcile(self) -> list[str]:
        """At start: remove what nobody refers to; return digests whose file is gone though the ledger has them."""
        self.clear_incoming()
        known = {row["digest"] for row in self._database.all("SELECT digest FROM blob WHERE evicted = 0")}
        on_disk = {file.parent.name + file.name: file for file in self._folder.glob("[0-9a-f][0-9a-f]/*")}
        for digest in on_disk.keys() - known:
            on_disk[digest].unlink()
        lost = sorted(known - on_disk.keys())
        with self._database.transaction() as connection:
            connection.executemany("UPDATE blob SET evicted = 1 WHERE digest = ?", [(digest,) for digest in lost])
        return lost

    def strays(self) -> list[str]:
        """Files that nobody refers to, one line each."""
        known = {row["digest"] for row in self._database.all("SELECT digest FROM blob WHERE evicted = 0")}
        complete = [file for file in self._folder.glob("[0-9a-f][0-9a-f]/*") if file.parent.name + file.name not in known]
        return [f"stray file {file}" for file in (*complete, *self.incoming.iterdir())]

    def take_copy(self, source: Path) -> tuple[str, int]:
        """Make a blob of a file; returns its digest and size."""
        with open(source, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = source.stat().st_size
        if self.size(digest) is None:
            self.make_room(size)
            aside = self.incoming / f"copy-{digest}"
            with _full_disk(f"a copy of {source.name}"):
                shutil.copyfile(source, aside)
            self.adopt(aside, digest)
            self.enter(digest, size)
        return digest, size

    def used_bytes(self) -> int:
        """Bytes of all complete blobs."""
        row = self._database.one("SELECT COALESCE(SUM(bytes), 0) AS total FROM blob WHERE evicted = 0")
        assert row is not None
        return row["total"]

    def close(self) -> None:
        """Drop unfinished uploads."""
        for upload in list(self._uploads.values()):
            self.abandon(upload)


class _full_disk:
    """Turns an OSError of a write into a StorageError that says what was written."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise StorageError(f"{self._what} could not be stored ({error.strerror}). Free some space and try again."
                               ) from None


def sync_folder(folder: Path) -> None:
    """Make names in `folder` durable; Windows does so by itself."""
    if sys.platform != "win32":
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def write_durable(path: Path, data: bytes) -> None:
    """Write a file that is on the disk when this returns. Leaves no file behind when it fails."""
    try:
        with open(path, "wb", buffering=0) as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise
