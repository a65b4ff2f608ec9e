# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from server.errors import RequestRefused
from server.lock import FolderLock, is_held

HOLD = ("import sys, pathlib; from server.lock import FolderLock; lock = FolderLock(pathlib.Path(sys.argv[1])); "
        "print('held', flush=True); input()")


def test_one_holder_at_a_time_and_the_refusal_names_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True)
    assert child.stdout is not None and child.stdout.readline() == "held\n"
    with pytest.raises(RequestRefused, match=str(child.pid)) as refused:
        FolderLock(path, patience_s=0.1)
    assert is_held(path)
    assert refused.value.code == "already_running"
    assert str(path) in refused.value.message
    child.kill()  # however it dies, the lock goes with it
    child.communicate()
    FolderLock(path, patience_s=5.0).release()


def test_a_released_lock_can_be_taken_and_tells_who_has_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    FolderLock(path).release()
    lock = FolderLock(path)
    assert is_held(path)
    assert path.read_bytes().strip(b"\0 ") == str(os.getpid()).encode()
    lock.release()
    assert not is_held(path) and not is_held(tmp_path / "nothing")
