# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from server.database import SCHEMA_VERSION, Database
from server.errors import StorageError


def test_it_opens_what_it_made(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    first = Database(path)
    with first.transaction() as connection:
        connection.execute("UPDATE meta SET value = 7")
    first.close()
    assert not path.with_name("ledger.db-wal").exists()
    again = Database(path)
    assert again.all("SELECT value FROM meta")[0]["value"] == 7
    assert again.all("PRAGMA journal_mode")[0][0] == "wal"
    assert again.one("SELECT value FROM meta WHERE name = 'nothing'") is None
    again.close()


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "ledger.db")
    with pytest.raises(ValueError, match="stop"), database.transaction() as connection:
        connection.execute("UPDATE meta SET value = 7")
        raise ValueError("stop")
    assert database.all("SELECT value FROM meta")[0]["value"] == 0
    database.close()


@pytest.mark.parametrize("is_durable", [True, False])
def test_durability_is_chosen_by_transaction(tmp_path: Path, is_durable: bool) -> None:
    database = Database(tmp_path / "ledger.db")
    with database.transaction(is_durable=is_durable) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == (2 if is_durable else 1)
    database.close()


def test_a_newer_file_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="newer Athanor") as refused:
        Database(path)
    assert str(path) in refused.value.message
    assert path.read_bytes() == before


def test_a_damaged_file_and_a_missing_folder_are_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"noise" * 1000)
    with pytest.raises(StorageError, match="damaged") as refused:
        Database(path)
    assert str(path) in refused.value.message
    with pytest.raises(StorageError, match="cannot be opened"):
        Database(tmp_path / "nowhere" / "ledger.db")
