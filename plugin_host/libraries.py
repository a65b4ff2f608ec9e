# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a plugin does not load: the shared libraries that it needs and this system lacks.

Pedalboard can only say that a scan failed; on Linux the dynamic linker knows more.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

_LIMIT_S = 10.0


def missing_libraries(plugin: Path) -> list[str]:
    """Names of the libraries that the dynamic linker does not find for a plugin file or bundle.

    Empty on systems other than Linux, and where `ldd` has nothing to say (not a library at all, for one).
    """
    linker = shutil.which("ldd")
    if sys.platform != "linux" or linker is None:
        return []
    missing: list[str] = []
    for library in sorted(plugin.glob("Contents/*-linux/*.so")) if plugin.is_dir() else [plugin]:
        try:
            answer = subprocess.run([linker, str(library)], capture_output=True, text=True, timeout=_LIMIT_S,
                                    check=False)
        except subprocess.TimeoutExpired:
            continue
        missing += [line.split("=>")[0].strip() for line in answer.stdout.splitlines() if "not found" in line
                    and "=>" in line]
    return sorted(set(missing))
