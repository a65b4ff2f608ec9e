# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server and a real bridge for programs that nobody here wrote."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

REPOSITORY = Path(__file__).resolve().parents[2]


class House:
    """A server that takes debug jobs, and a bridge.

    port: where the bridge listens. root: the folder that clips are exchanged in (with `original.wav`, stereo, in it). home:
    the data folder.
    """

    def __init__(self, home: Path, root: Path) -> None:
        self.home, self.root = home, root
        self._running: dict[str, tuple[subprocess.Popen[str], threading.Thread]] = {}
        self.port = 0
        self.start_server()
        self.start_bridge()

    def start_server(self) -> None:
        """Start the server."""
        self._start("server", ["server", "--debug-jobs"], "server ready")

    def start_bridge(self) -> None:
        """Start the bridge, on the port where it was before."""
        line = self._start("bridge", ["bridge", "bridge", "--port", str(self.port), "--root", str(self.root)], "OSC on")
        self.port = int(line.split(",")[0].rpartition(":")[2])

    def kill_server(self) -> None:
        """End the server as a crash would."""
        self._running["server"][0].kill()
        self._ended("server")

    def kill_bridge(self) -> None:
        """End the bridge as a crash would."""
        self._running["bridge"][0].kill()
        self._ended("bridge")

    def stop(self) -> None:
        """End both in order."""
        for name in ("bridge", "server"):
            if name in self._running:
                self._running[name][0].terminate()
                self._ended(name)

    def _start(self, name: str, words: list[str], sign: str) -> str:
        environment = os.environ | {"ATHANOR_HOME": str(self.home), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen([sys.executable, "-m", *words], cwd=REPOSITORY, env=environment, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for line in process.stdout:
            if sign in line:
                drain = threading.Thread(target=process.stdout.read, daemon=True)
                drain.start()
                self._running[name] = process, drain
                return line
        pytest.fail(f"{words} did not start")

    def _ended(self, name: str) -> None:
        process, drain = self._running.pop(name)
        process.wait(30)
        drain.join()
        process.stdout.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home, root = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("import root")
    time_s = np.arange(24000) / 48000
    tone = np.stack([0.3 * np.sin(2 * np.pi * 440 * time_s), 0.2 * np.sin(2 * np.pi * 331 * time_s)], axis=1)
    soundfile.write(root / "original.wav", tone, 48000, subtype="FLOAT")
    house = House(home, root)
    yield house
    house.stop()
