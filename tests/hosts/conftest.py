# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server and a real bridge for programs that nobody here wrote."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class House:
    """Where a bridge listens, and the folder that clips are exchanged in (with `original.wav`, stereo, in it)."""

    port: int
    root: Path


def _started(words: list[str], environment: dict[str, str], sign: str) -> tuple[subprocess.Popen[str], str]:
    """A process, and the line of its output that carries `sign`."""
    process = subprocess.Popen([sys.executable, "-m", *words], cwd=REPOSITORY, env=os.environ | environment, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for line in process.stdout:
        if sign in line:
            return process, line
    pytest.fail(f"{words} did not start")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home, root = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("import root")
    time_s = np.arange(24000) / 48000
    tone = np.stack([0.3 * np.sin(2 * np.pi * 440 * time_s), 0.2 * np.sin(2 * np.pi * 331 * time_s)], axis=1)
    soundfile.write(root / "original.wav", tone, 48000, subtype="FLOAT")
    environment = {"ATHANOR_HOME": str(home), "OMP_NUM_THREADS": "1"}
    server, _ = _started(["server", "--debug-jobs"], environment, "server ready")
    bridge, line = _started(["bridge", "bridge", "--port", "0", "--root", str(root)], environment, "OSC on")
    drains = [threading.Thread(target=process.stdout.read, daemon=True) for process in (server, bridge)]
    for drain in drains:
        drain.start()
    yield House(int(line.split(",")[0].rpartition(":")[2]), root)
    for process, drain in zip((bridge, server), reversed(drains), strict=True):
        process.terminate()
        process.wait(30)
        drain.join()
        process.stdout.close()
