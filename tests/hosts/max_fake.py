# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs our scripts for Max and Max for Live under Node, on the fakes that lie in `max/` and `live/`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

HOSTS = Path(__file__).resolve().parents[2] / "bridge" / "hosts"
FAKE = Path(__file__).with_name("max") / "fake_max.js"
_LIMIT_S = 110


def run_max(node: Path, work: Path, script: str, **scenario: Any) -> dict[str, Any]:
    """What a script has said; an error of its own is this call's. scenario: as `fake_max.js` tells.

    script: its name below `bridge/hosts`.
    """
    folders = [str(HOSTS / "max"), str(HOSTS / "live")]
    path = work / "scenario.json"
    path.write_text(json.dumps({"script": str(HOSTS / script), "folders": folders, **scenario}))
    ended = subprocess.run([str(node), str(FAKE), str(path)], capture_output=True, text=True, timeout=_LIMIT_S)
    assert ended.returncode == 0, ended.stderr
    seen = json.loads(ended.stdout)
    assert seen["errors"] == [], "\n".join([*seen["errors"], *map(str, [*seen["out"], *seen["sent"]])])
    return seen


def displayed(seen: dict[str, Any], what: str) -> list[str]:
    """What the patch's own display was told of `what`."""
    return [" ".join(map(str, message[2:])) for message in seen["out"] if message[:2] == [2, what]]
