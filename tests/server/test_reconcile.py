# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from server.blobs import BlobStore
from server.database import Database
from server.jobs import Event, Job, State
from server.ledger import Ledger, ResultRow
from server.palette import Palette
from server.reconcile import check, reconcile
from server.settings import Settings


@dataclass
class Folder:
    database: Database
    ledger: Ledger
    store: BlobStore
    palette: Palette

    def reconcile(self) -> dict[str, int]:
        return reconcile(self.ledger, self.store, self.palette)

    def put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        upload = self.store.receive(digest, 0, len(data), data)
        upload.seal()
        self.store.commit(upload)
        return digest

    def add(self, name: str, inputs: dict[str, str] | None = None, needs: str | None = None) -> None:
        self.ledger.add([Job(name, "debug", {}, inputs or {}, "a", "d")], [(name, needs)] if needs else [])

    def state(self, name: str) -> State:
        job = self.ledger.get(name)
        assert job is not None
        return job.state


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    database = Database(tmp_path / "ledger.db")
    settings = replace(Settings(tmp_path), free_floor_bytes=0)
    store = BlobStore(tmp_path / "blobs", database, settings)
    yield Folder(database, Ledger(database), store, Palette(tmp_path / "palette"))
    database.close()


def test_an_interrupted_job_goes_back_and_the_second_time_fails(folder: Folder) -> None:
    folder.add("a")
    for state in (State.QUEUED, State.FAILED):
        folder.ledger.claim("1.1")
        assert folder.reconcile()["interrupted"] == 1
        assert folder.state("a") is state
    assert check(folder.database, folder.store) == []


def test_an_interrupted_job_that_was_to_stop_is_cancelled(folder: Folder) -> None:
    folder.add("a")
    folder.ledger.claim("1.1")
    folder.ledger.record("a", Event.ASK_CANCEL)
    folder.reconcile()
    assert folder.state("a") is State.CANCELLED


def test_a_lost_result_fails_its_job_unless_it_was_fetched(folder: Folder) -> None:
    for name in ("kept", "lost", "fetched"):
        folder.add(name)
        folder.ledger.claim("1.1")
        digest = folder.put(name.encode())
        folder.ledger.record(name, Event.SUCCEED, results=[ResultRow("r", "r", digest, len(name), "audio/wav", {})])
        if name != "kept":
            folder.store.path(digest).unlink()
    folder.ledger.mark_fetched("fetched")
    assert folder.reconcile() == {"lost_blobs": 2, "lost_results": 1}
    assert [folder.state(name) for name in ("kept", "lost", "fetched")] == [State.SUCCEEDED, State.FAILED, State.SUCCEEDED]
    lost = folder.ledger.get("lost")
    assert lost is not None and lost.failure is not None and lost.failure.code == "result_lost"
    assert check(folder.database, folder.store) == []


def test_a_queued_job_without_its_input_or_its_prerequisite_fails(folder: Folder) -> None:
    digest = folder.put(b"clip")
    folder.add("needed")
    folder.add("no input", {"clip": digest})
    folder.add("no prerequisite", needs="needed")
    folder.add("sound")
    folder.ledger.record("needed", Event.ASK_CANCEL)  # and then the power went
    folder.store.path(digest).unlink()
    assert folder.reconcile()["hopeless"] == 2
    assert [folder.state(name) for name in ("no input", "no prerequisite", "sound")] == [
        State.FAILED, State.FAILED, State.QUEUED]


def test_nothing_to_do_changes_nothing(folder: Folder) -> None:
    folder.add("a")
    assert folder.reconcile() == {"lost_blobs": 0}
    assert folder.state("a") is State.QUEUED
