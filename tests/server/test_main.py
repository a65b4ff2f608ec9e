# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from server.settings import Paths


def check(home: Path) -> tuple[int, str]:
    """Exit status and words of `python -m server --check`."""
    ended = subprocess.run([sys.executable, "-m", "server", "--home", str(home), "--check"], capture_output=True, text=True,
                           timeout=60)
    return ended.returncode, ended.stdout + ended.stderr


def test_a_store_can_be_checked(tmp_path: Path) -> None:
    status, said = check(tmp_path)
    assert (status, "are sound" in said) == (0, True)
    stray = Paths(tmp_path).blobs / "ab" / ("cd" * 31)
    stray.parent.mkdir()
    stray.write_bytes(b"left by a crash, and put right")
    assert check(tmp_path)[0] == 0
    assert not stray.exists()
    Paths(tmp_path).ledger.write_bytes(b"noise" * 1000)
    status, said = check(tmp_path)
    assert (status, "is damaged" in said) == (1, True)
