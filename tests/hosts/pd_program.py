# SPDX-License-Identifier: GPL-3.0-or-later
"""Pure Data without windows, told what to do by TCP, and what it prints."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from pathlib import Path

from tests.hosts.printed import Printed

REPOSITORY = Path(__file__).resolve().parents[2]
PATCHES = REPOSITORY / "bridge" / "hosts" / "pd"
BROKEN = re.compile(r"couldn't create|error:|no such object", re.IGNORECASE)
_BENCH = Path(__file__).with_name("pd_console.pd")
_LIMIT_S = 60


def words(*more: object) -> list[str]:
    """What starts a Pd that has neither windows nor sound."""
    return ["-nogui", "-noaudio", "-nomidi", "-stderr", "-r", "48000", *map(str, more)]


class Pd:
    """A running Pd with the test bench open.

    Args:
        pd: the program.
        work: folder for the bench.
        opened: patches that are opened too.
    """

    def __init__(self, pd: Path, work: Path, *opened: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        bench = work / "bench.pd"
        bench.write_text(_BENCH.read_text(encoding="utf-8").replace("PORT", str(port)), encoding="utf-8")
        files = [word for path in (bench, *opened) for word in ("-open", path)]
        self._process = subprocess.Popen([str(pd), *words("-path", PATCHES, *files)], stderr=subprocess.PIPE, text=True)
        self._printed = Printed(self._process.stderr)
        self.wait = self._printed.wait
        self._wire = self._connected(port)

    def _connected(self, port: int) -> socket.socket:
        deadline = time.monotonic() + _LIMIT_S
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port))
            except ConnectionRefusedError:
                assert time.monotonic() < deadline, self._printed.lines
                time.sleep(0.05)

    def say(self, *message: object) -> None:
        """Send a message to the bench, as it would stand in a message box; spaces within one word are escaped."""
        text = " ".join(str(word).replace(" ", "\\ ") for word in message)
        self._wire.sendall(f"{text};\n".encode())

    @property
    def now(self) -> int:
        """The number of lines so far: what `since` is for."""
        return self._printed.now

    def kill(self) -> None:
        """End it as a crash would."""
        self._wire.close()
        self._process.kill()
        self._process.wait(_LIMIT_S)
        self._printed.close()

    def quit(self) -> None:
        """End it; fail if it has said that a patch is broken."""
        self.kill()
        broken = [line for line in self._printed.lines
                  if BROKEN.search(line) and not line.startswith(("state:", "line:", "heard:"))]
        assert not broken, broken
