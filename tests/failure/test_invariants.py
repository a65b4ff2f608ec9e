# SPDX-License-Identifier: GPL-3.0-or-later
"""Negative controls: every check that runs after each failure test must fire when there is something to find."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from harness import MARK, Server, ended, find_faults, survivors

from server.settings import Paths


def change(paths: Paths, sql: str) -> None:
    connection = sqlite3.connect(paths.ledger)
    connection.execute(sql)
    connection.commit()
    connection.close()


def a_blob(paths: Paths) -> Path:
    return next(paths.blobs.glob("[0-9a-f][0-9a-f]/*"))


DAMAGE: dict[str, tuple[Callable[[Paths], object], str]] = {
    "stray blob": (lambda p: shutil.copy(a_blob(p), a_blob(p).with_name("0" * 62)), "stray file"),
    "temp file": (lambda p: (p.blobs / "incoming" / "left.part").write_text(""), "stray file"),
    "missing blob": (lambda p: a_blob(p).unlink(), "no file"),
    "altered blob": (lambda p: a_blob(p).write_bytes(b"altered"), "other content"),
    "connection file": (lambda p: p.connection.write_text("{}"), "still there"),
    "lost job": (lambda p: change(p, "UPDATE job SET id = 'other' || number"), "not in the ledger"),
    "second end": (lambda p: change(
        p, "INSERT INTO event SELECT NULL, job_id, at, event, from_state, to_state, attempt, note FROM event "
        "WHERE to_state = 'succeeded'"), "2 ends"),
    "no end": (lambda p: change(p, "DELETE FROM event WHERE to_state = 'succeeded'"), "its story ends"),
    "life after the end": (lambda p: change(
        p, "INSERT INTO event SELECT NULL, job_id, at, 'claim', from_state, 'running', attempt, note FROM event "
        "WHERE to_state = 'succeeded'"), "after its end"),
    "too many attempts": (lambda p: change(p, "UPDATE job SET attempt = 3"), "3 attempts"),
}


async def test_damage_is_found(serve, tmp_path: Path) -> None:
    server: Server = await serve()
    client = await server.client()
    job = await server.submit(client, steps=1)
    await ended(client, job.job_id)
    await server.stop()
    assert find_faults(server.home, [job.job_id]) == []
    for name, (harm, told) in DAMAGE.items():
        copy = tmp_path / name
        shutil.copytree(server.home, copy)
        harm(Paths(copy))
        assert told in "\n".join(find_faults(copy, [job.job_id])), name


def test_a_surviving_process_is_found() -> None:
    mark = f"control-{os.getpid()}"
    child = subprocess.Popen([sys.executable, "-c", "print(); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             env=os.environ | {MARK: mark})
    try:
        assert child.stdout and child.stdout.readline()  # it runs: before, it may still have its parent's environment
        assert survivors(mark) == [child.pid]
    finally:
        child.communicate(b"\n")
    assert survivors(mark) == []
