# SPDX-License-Identifier: GPL-3.0-or-later
"""Show a file in the system's file manager."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def command(path: Path, platform: str) -> list[str]:
    """What shows `path` on a `sys.platform`: selected in its folder, or, on Linux, its folder."""
    if platform == "darwin":
        return ["open", "-R", str(path)]
    if platform == "win32":
        return ["explorer", f"/select,{path}"]
    return ["xdg-open", str(path.parent)]


def reveal(path: Path) -> bool:
    """Ask for it, without waiting; whether there was a program to ask."""
    try:
        subprocess.Popen(command(path, sys.platform), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, start_new_session=True)
    except OSError:
        return False
    return True
