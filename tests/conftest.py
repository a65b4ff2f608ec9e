# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared by every room's tests: what to do where a host program or a plugin is not installed."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

# A shell starts background commands with SIGINT ignored, and what the tests start would inherit that: their Ctrl-C would
# go unheard.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as server/worker.py, and before torch is imported
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # one process for each core: more threads would only wait for each other


@pytest.fixture(scope="session")
def require_host() -> Callable[[str | Path], Path]:
    """A function that gives the path of a host program or plugin (a name on PATH, or an absolute path).

    Where it is not installed the test is skipped, or fails if ATHANOR_REQUIRE_HOSTS=1 says that it has to be there.
    """

    def require(program: str | Path) -> Path:
        found = shutil.which(program) or (str(program) if Path(program).exists() else None)
        if found:
            return Path(found)
        if os.environ.get("ATHANOR_REQUIRE_HOSTS") == "1":
            pytest.fail(f"{program} is not installed, and ATHANOR_REQUIRE_HOSTS=1 requires it")
        pytest.skip(f"{program} is not installed")

    return require
