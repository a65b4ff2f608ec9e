# SPDX-License-Identifier: GPL-3.0-or-later
"""Audacity itself, on a screen that nobody sees."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from bridge.adapters.audacity import CONFIG, install
from bridge.adapters.audacity_pipe import AudacityPipe
from server.errors import RequestRefused
from tests.hosts.display import Display, until

_CONFIG = """PrefsVersion=1.1.1r1
[GUI]
ShowSplashScreen=0
[Version]
Major=3
Minor=2
Micro=4
[Directories]
TempDir={folder}
"""


TITLE = "Audacity"


class Audacity:
    """One installation, steered through its pipe.

    Args:
        require: gives a program's path, or skips.
        folder: everything of it lies there.
    """

    def __init__(self, require: Callable[[str], Path], folder: Path) -> None:
        self._program, self._folder = require("audacity"), folder
        self.display = Display(require("Xvfb"))
        self.config = folder / "config" / "audacity"
        self.config.mkdir(parents=True)
        (self.config / CONFIG).write_text(_CONFIG.format(folder=folder))
        self._environment = os.environ | {
            "DISPLAY": self.display.name, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_DATA_HOME": str(folder / "data"), "XDG_CACHE_HOME": str(folder / "cache")}
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """The first start, which looks for plugins in a process of its own, and Athanor's installation."""
        self._run()
        self.display.close_window(TITLE)
        self._process.wait(30)
        install(self.config)

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._run()
        until(self._listens, "Audacity to listen")

    def kill(self) -> None:
        """End it as a crash would."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it, and its screen."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        for way in ("to", "from"):
            Path(f"/tmp/audacity_script_pipe.{way}.{os.getuid()}").unlink(missing_ok=True)
        self.display.stop()

    def do(self, command: str, **parameters: object) -> str:
        """One command, in a connection of its own."""
        with AudacityPipe(20) as pipe:
            return pipe.do(command, **parameters)

    def tracks(self) -> list[dict]:
        with AudacityPipe(20) as pipe:
            return pipe.info("Tracks")

    def _run(self) -> None:
        with open(self._folder / "audacity.txt", "ab") as log:
            self._process = subprocess.Popen([str(self._program)], env=self._environment, stdout=log, stderr=log,
                                             start_new_session=True)
        until(lambda: TITLE in self.display.windows(), "Audacity's window", 90)

    def _listens(self) -> bool:
        try:
            self.do("Message", Text="here")
        except RequestRefused:
            time.sleep(0.2)
            return False
        return True
