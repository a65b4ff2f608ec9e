# SPDX-License-Identifier: GPL-3.0-or-later
"""sclang without windows, given code by its standard input, and what it posts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.hosts.printed import Printed

CLASSES = Path(__file__).resolve().parents[2] / "bridge" / "hosts" / "supercollider"
_SILENT = "\x0c"  # ends a piece of code and does not post its value
# As root, Qt's browser refuses to start inside its sandbox; without a display it draws into memory.
_QT = {"QT_QPA_PLATFORM": "offscreen", "QTWEBENGINE_DISABLE_SANDBOX": "1"}


class Sclang:
    """A running sclang that has compiled our classes.

    Args:
        sclang: the program.
        work: folder for its settings.
    """

    def __init__(self, sclang: Path, work: Path) -> None:
        settings = work / "sclang_conf.yaml"
        settings.write_text(f"includePaths:\n    - {CLASSES}\nexcludePaths: []\npostInlineWarnings: false\n",
                            encoding="utf-8")
        # With the name of an editor, it takes whole pieces of code instead of lines.
        self._process = subprocess.Popen([str(sclang), "-i", "test", "-l", str(settings)],
                                         env=os.environ | _QT | {"HOME": str(work)}, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.printed = Printed(self._process.stdout, fatal="^ERROR|Library has not been compiled")
        self.wait = self.printed.wait
        self.wait("Welcome to SuperCollider")

    def do(self, code: str) -> None:
        """Run a piece of code."""
        self._process.stdin.write(code + _SILENT)
        self._process.stdin.flush()

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait()
        self.printed.close()
        self._process.stdin.close()

    def quit(self) -> None:
        """End it; fail if it has posted an error."""
        self.kill()
        errors = [line for line in self.printed.lines if line.startswith("ERROR")]
        assert not errors, self.printed.lines
