# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from server.blobs import BlobStore, write_durable
from server.database import Database
from server.errors import InvalidInput, RequestRefused, StorageError
from server.jobs import Event, Job
from server.ledger import Ledger, ResultRow
from server.settings import MIB, Settings

Open = Callable[..., BlobStore]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "ledger.db")
    yield database
    database.close()


@pytest.fixture
def open_store(tmp_path: Path, database: Database) -> Iterator[Open]:
    opened: list[BlobStore] = []

    def open(**settings: object) -> BlobStore:
        fields = replace(Settings(tmp_path), **{"free_floor_bytes": 0} | settings)  # type: ignore[arg-type]
        opened.append(BlobStore(tmp_path / "blobs", database, fields))
        return opened[-1]

    yield open
    for store in opened:
        store.close()


def put(store: BlobStore, data: bytes, step: int = 1000) -> str:
    digest, offset = sha(data), 0
    while True:
        upload = store.receive(digest, offset, len(data), data[offset : offset + step])
        offset = upload.offset
        if offset == len(data):
            upload.seal()
            store.commit(upload)
            return digest


def test_what_is_put_in_pieces_is_read_in_pieces(open_store: Open) -> None:
    store, data = open_store(), os.urandom(5500)
    digest = put(store, data)
    assert store.stat(digest).present and store.size(digest) == 5500
    assert store.read(digest, 0, 3000)[0] + store.read(digest, 3000, 9999)[0] == data
    assert store.read(digest, 5500, 10) == (b"", 5500)
    assert store.path(digest).read_bytes() == data
    assert store.strays() == []


def test_an_empty_blob_is_a_blob(open_store: Open) -> None:
    store = open_store()
    assert store.read(put(store, b""), 0, 10) == (b"", 0)


def test_an_upload_goes_on_where_it_was_and_repeats_are_harmless(open_store: Open) -> None:
    store, data = open_store(), os.urandom(3000)
    digest = sha(data)
    store.receive(digest, 0, 3000, data[:1000])
    assert store.stat(digest) == type(store.stat(digest))(False, 0, 1000)
    store.receive(digest, 0, 3000, data[:1000])
    assert store.receive(digest, 500, 3000, data[500:2000]).offset == 2000
    with pytest.raises(RequestRefused, match="next byte is 2000, not 2500"):
        store.receive(digest, 2500, 3000, data[2500:])
    with pytest.raises(InvalidInput, match="of 3000"):
        store.receive(digest, 2000, 3000, bytes(2000))


def test_other_bytes_than_announced_are_refused_and_leave_nothing(open_store: Open) -> None:
    store = open_store()
    upload = store.receive(sha(b"right"), 0, 5, b"wrong")
    with pytest.raises(InvalidInput, match="announced"):
        upload.seal()
    store.abandon(upload)
    assert store.strays() == [] and not store.stat(sha(b"right")).present


def test_limits_are_told(open_store: Open) -> None:
    store = open_store(blob_limit_bytes=MIB, open_uploads=1)
    with pytest.raises(InvalidInput, match="at most 1 MB"):
        store.receive("0" * 64, 0, 2 * MIB, b"")
    store.receive("1" * 64, 0, 10, b"a")
    with pytest.raises(RequestRefused, match="1 uploads are open"):
        store.receive("2" * 64, 0, 10, b"a")
    with pytest.raises(RequestRefused, match="not here") as unknown:
        store.read("3" * 64, 0, 10)
    assert unknown.value.code == "unknown_blob"
    with pytest.raises(StorageError, match="must stay free"):
        open_store(free_floor_bytes=2**62).check_floor()


def test_idle_uploads_are_forgotten(open_store: Open) -> None:
    store = open_store(upload_idle_s=0.0)
    upload = store.receive("1" * 64, 0, 10, b"a")
    upload.touched = time.monotonic() - 1
    store.abandon_idle()
    assert store.stat("1" * 64).offset == 0 and store.strays() == []


def test_the_least_used_goes_first_and_what_is_needed_stays(open_store: Open, database: Database) -> None:
    store, ledger = open_store(store_limit_bytes=5000), Ledger(database)
    old, used, wanted, result = (put(store, bytes([number]) * 1000) for number in range(4))
    ledger.add([Job("live", "debug", {}, {"clip": wanted}, "a", "d"), Job("done", "debug", {}, {}, "a", "d", priority=1)])
    ledger.claim("1.1")
    ledger.record("done", Event.SUCCEED, results=[ResultRow("r", "r", result, 1000, "audio/wav", {})])
    store.read(used, 0, 1)
    store.make_room(2000)
    assert [store.size(digest) is not None for digest in (old, used, wanted, result)] == [False, True, True, True]
    with pytest.raises(StorageError, match="nobody has fetched"):
        store.make_room(4000)
    ledger.mark_fetched("done")
    store.make_room(4000)
    assert [store.size(digest) is not None for digest in (used, wanted, result)] == [False, True, False]
    assert put(store, bytes([0]) * 1000) == old and store.size(old) == 1000


def test_reconcile_removes_strays_and_names_what_is_lost(open_store: Open, tmp_path: Path) -> None:
    store = open_store()
    kept, lost = put(store, b"kept"), put(store, b"lost")
    store.path(lost).unlink()
    (store.incoming / "half.part").write_bytes(b"x")
    stray = store.path("ab" * 32)
    stray.parent.mkdir()
    stray.write_bytes(b"renamed, but never entered")
    assert len(store.strays()) == 2
    assert store.reconcile() == [lost]
    assert store.strays() == []
    assert store.size(kept) == 4 and store.size(lost) is None


def test_a_copy_of_a_file_is_a_blob(open_store: Open, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    store = open_store()
    assert store.take_copy(tmp_path / "file") == store.take_copy(tmp_path / "file") == (sha(b"content"), 7)
    assert store.used_bytes() == 7


def test_a_durable_write_is_whole_or_leaves_nothing(tmp_path: Path) -> None:
    write_durable(tmp_path / "a", b"abc")
    assert (tmp_path / "a").read_bytes() == b"abc"
    with pytest.raises(OSError):
        write_durable(tmp_path / "nowhere" / "a", b"abc")
