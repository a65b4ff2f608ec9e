# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from server.database import Database
from server.errors import StorageError
from server.jobs import Event, Failure, InvalidTransition, Job, State
from server.ledger import Ledger, ResultRow

RESULT = ResultRow("fused", "a", "d" * 64, 3, "audio/wav", {"seed": 1})


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "ledger.db")
    yield database
    database.close()


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database, clock=iter(range(1, 1000)).__next__)


def job(name: str, origin: str = "a", **fields) -> Job:
    return Job(name, "debug", {"steps": 1}, {}, origin, "digest", created=0.5, **fields)


def test_a_job_comes_back_as_it_was_and_numbers_rise(ledger: Ledger) -> None:
    first, second = ledger.add([job("1", priority=3, automatic=True, fetched=True), job("2")])
    assert first == job("1", priority=3, automatic=True, fetched=True, number=1)
    assert second.number == 2
    assert ledger.get("1") == first
    assert ledger.get("3") is None


def test_either_all_jobs_of_a_submit_are_accepted_or_none(ledger: Ledger) -> None:
    ledger.add([job("1")])
    with pytest.raises(Exception, match="UNIQUE"):
        ledger.add([job("2"), job("1")])
    assert ledger.get("2") is None


def test_claims_follow_priority_then_turns_then_age(ledger: Ledger) -> None:
    ledger.add([job("a1"), job("a2"), job("b1", "b"), job("urgent", priority=1), job("a3"), job("b2", "b")])
    order = []
    while (claimed := ledger.claim("1.1")) is not None:
        order.append(claimed.id)
        ledger.record(claimed.id, Event.SUCCEED)
    assert order == ["urgent", "b1", "a1", "b2", "a2", "a3"]


def test_a_job_is_not_claimed_before_what_it_needs(ledger: Ledger) -> None:
    ledger.add([job("needed"), job("waits", priority=9)], [("waits", "needed")])
    claimed = ledger.claim("1.1")
    assert claimed is not None and claimed.id == "needed"
    assert ledger.claim("1.1") is None
    assert [one.id for one in ledger.dependants("needed")] == ["waits"]
    assert [one.id for one in ledger.needed_by("waits")] == ["needed"]
    ledger.record("needed", Event.SUCCEED)
    claimed = ledger.claim("1.1")
    assert claimed is not None and claimed.id == "waits"


def test_results_come_with_success_and_only_then(ledger: Ledger) -> None:
    ledger.add([job("1"), job("2")])
    for name in ("1", "2"):
        ledger.claim("1.1")
        if name == "2":
            ledger.record(name, Event.ASK_CANCEL)
        ledger.record(name, Event.SUCCEED, results=[RESULT, replace(RESULT, name="b")])
    assert [row.name for row in ledger.results("1")] == ["a", "b"]
    assert ledger.results("1")[0] == RESULT
    assert ledger.results("2") == []
    assert ledger.get("2").state is State.CANCELLED  # type: ignore[union-attr]


def test_the_story_is_kept_and_told_with_an_impossible_change(ledger: Ledger) -> None:
    ledger.add([job("1")])
    ledger.claim("1.1")
    ledger.record("1", Event.LOSE, failure=Failure("worker_crashed", "gone"))
    assert ledger.story("1") == ["submit: new -> queued, attempt 0", "claim: queued -> running, attempt 1",
                                 "lose: running -> queued, attempt 1 (gone)"]
    with pytest.raises(InvalidTransition, match="lose: running -> queued"):
        ledger.record("1", Event.SUCCEED)


def test_counts_positions_and_lists(ledger: Ledger) -> None:
    ledger.add([job("1"), job("2", "b"), job("3", priority=2)])
    jobs = {one.id: one for one in ledger.select()}
    assert list(jobs) == ["3", "2", "1"]
    assert [ledger.position(jobs[name]) for name in "123"] == [2, 3, 1]
    assert (ledger.queued(), ledger.queued("b")) == (3, 1)
    claimed = ledger.claim("1.1")
    assert claimed is not None and ledger.position(claimed) is None
    assert ledger.counts() == {"queued": 2, "running": 1, "succeeded": 0, "failed": 0, "cancelled": 0}
    assert [one.id for one in ledger.select([State.QUEUED], origin="b")] == ["2"]
    assert [one.id for one in ledger.select(before=2)] == ["1"]
    assert [one.id for one in ledger.in_state(State.QUEUED)] == ["1", "2"]


def test_a_full_disk_costs_the_change_and_nothing_else(ledger: Ledger, database: Database) -> None:
    ledger.add([job("1")])
    pages = database.all("PRAGMA page_count")[0][0]
    database.all(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError) as full:
        for number in range(200):
            ledger.add([replace(job(f"filler{number}"), options={"prompt": "x" * 3000})])
    assert full.value.code == "storage_full"
    assert ledger.get("1") is not None
    database.all("PRAGMA max_page_count = 1000000")
    ledger.add([job("after")])
    assert ledger.claim("1.1") is not None


def test_each_start_is_a_generation(ledger: Ledger, database: Database) -> None:
    assert Ledger(database).generation == ledger.generation + 1
